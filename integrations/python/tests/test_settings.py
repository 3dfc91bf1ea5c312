import ast
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import argo
from argo import NotAuthenticated, Settings, SettingsError, address, from_environment, read_password, settings


class Addresses(unittest.TestCase):
    def test_forms(self):
        self.assertEqual([address(text) for text in ("lab", "lab:1", "[::1]", "[::1]:7", "::1")],
                         [("lab", 20203), ("lab", 1), ("::1", 20203), ("::1", 7), ("::1", 20203)])
        for bad in ("", ":1", "lab:", "lab:x", "lab:123456"):
            with self.assertRaises(SettingsError):
                address(bad)
        with self.assertRaises(SettingsError):
            Settings(port=65536)

    def test_times(self):
        for name in ("connect_timeout", "login_timeout"):
            for bad in (0, -1, 86401, float("nan"), float("inf")):
                with self.assertRaises(SettingsError):
                    Settings(**{name: bad})


class Secrets(unittest.TestCase):
    def test_a_password_is_in_no_text(self):
        self.assertNotIn("se-cret", repr(Settings(account="steve", password="se-cret")))

    def test_it_may_be_a_function(self):
        self.assertEqual(Settings(account="steve", password=lambda: "x").secret(), "x")
        with self.assertRaises(NotAuthenticated):
            Settings(account="steve").secret()

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "password")
            with open(path, "wb") as file:
                file.write("pä ss\r\nmore\n".encode())
            for mode in (0o600, 0o640):
                os.chmod(path, mode)
                self.assertEqual(read_password(path), "pä ss")
            os.chmod(path, 0o604)
            for bad in (path, os.path.join(folder, "none")):
                with self.assertRaises(SettingsError) as caught:
                    read_password(bad)
                self.assertNotIn("pä", str(caught.exception))

    def test_the_terminal(self):
        with mock.patch.object(settings, "open", side_effect=OSError, create=True), self.assertRaises(NotAuthenticated):
            argo.ask_password("steve")


class Environment(unittest.TestCase):
    def test_what_is_given_counts_more(self):
        env = {"ARGO_SERVER": "lab:7", "ARGO_ACCOUNT": "steve", "ARGO_PASSWORD": "x", "ARGO_TLS": "true"}
        found = from_environment(env)
        self.assertEqual((found.host, found.port, found.account, found.secret(), found.uses_tls), ("lab", 7, "steve", "x", True))
        found = from_environment(env, host="itchy", port=8, account="kim", password="y", tls=False)
        self.assertEqual((found.host, found.port, found.account, found.secret(), found.uses_tls), ("itchy", 8, "kim", "y", False))
        self.assertEqual(from_environment({}), Settings())
        with self.assertRaises(SettingsError):
            from_environment({"ARGO_TLS": "yes"})
        with self.assertRaises(SettingsError):
            from_environment({"ARGO_ACCOUNT": "steve", "ARGO_PASSWORD_FILE": "/nonexistent/password"}).secret()


class Trust(unittest.TestCase):
    def test_fingerprints(self):
        hexadecimal = "AB" * 32
        self.assertEqual(Settings(fingerprint=hexadecimal).digest, b"\xab" * 32)
        self.assertEqual(Settings(fingerprint=":".join(["ab"] * 32)).digest, b"\xab" * 32)
        self.assertEqual(Settings(fingerprint="SHA256:" + "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s").digest, b"\xab" * 32)
        for bad in ("", "SHA256:", "ab", "SHA1:" + hexadecimal, "ab" * 33):
            with self.assertRaises(SettingsError):
                Settings(fingerprint=bad)

    def test_trust_implies_tls(self):
        self.assertTrue(Settings(ca_file="/ca.pem").uses_tls)
        self.assertTrue(Settings(fingerprint="ab" * 32).uses_tls)
        self.assertFalse(Settings().uses_tls)
        with self.assertRaises(SettingsError):
            Settings(ca_file="/nonexistent/ca.pem").context()


class Language(unittest.TestCase):
    def test_python_3_9_can_read_it(self):
        folder = pathlib.Path(argo.__file__).parents[2]
        sources = [*folder.rglob("*.py"), folder / "fence" / "fence_argo", folder / "nagios" / "check_argo"]
        for path in filter(pathlib.Path.exists, sources):
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))


if __name__ == "__main__":
    unittest.main()
