"""How all of the collection reach a server."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class ModuleDocFragment(object):
    DOCUMENTATION = r"""
options:
  server:
    description:
      - The server, as C(HOST), C(HOST:PORT) or C([V6]:PORT).
      - Where it is not given, the variable C(ARGO_SERVER) of the environment counts, then C(127.0.0.1:20203).
    type: str
  account:
    description:
      - Who to log in as; else C(ARGO_ACCOUNT).
    type: str
  password:
    description:
      - The account's password. Prefer a vault, or I(password_file), which cannot be given beside it.
      - With neither, the variables C(ARGO_PASSWORD) and C(ARGO_PASSWORD_FILE) count.
    type: str
  password_file:
    description:
      - A file whose first line is the password. It is refused where others than its owner and group can read it.
    type: path
  tls:
    description:
      - Whether the port is one of the server's C(tls-listen); else C(ARGO_TLS). The next four options imply it.
    type: bool
  ca_file:
    description:
      - PEM file with the authorities that the server is checked with, in place of the system's; else C(ARGO_CA_FILE).
    type: path
  fingerprint:
    description:
      - C(SHA256:…) of the one certificate that is right, whoever signed it; else C(ARGO_FINGERPRINT). With I(ca_file) both must hold.
    type: str
  cert_file:
    description:
      - PEM file with the certificate that is shown to a server with C(tls-client-ca).
    type: path
  key_file:
    description:
      - PEM file with its key, where I(cert_file) has none.
    type: path
  connect_timeout:
    description:
      - Seconds until the connection must stand, up to a day; 10 where nothing is said.
    type: float
requirements:
  - Python 3.9 or later where it runs. It runs on the host that can reach the server, most often the controller.
"""
