import { X509Certificate } from 'node:crypto';
import { CONFIG_FILE_SIZE } from './limits.js';
import { readRegularFile } from './regular-file.js';

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/**
 * Why a text cannot be used as a list of authorities; undefined where it can. TLS itself takes any text for one, and
 * then trusts nobody, without a word.
 * @param pem one certificate after another; what stands between them does not matter
 */
export function authoritiesFault(pem: string): string | undefined {
  const found = pem.match(CERTIFICATE) ?? [];
  if (found.length === 0) return 'holds no certificate';
  const broken = found.findIndex((one) => !isCertificate(one));
  if (broken === -1) return undefined;
  return found.length === 1 ? 'the certificate in it cannot be read' : `certificate ${broken + 1} of ${found.length} in it cannot be read`;
}

/** @param file of authorities, in PEM @throws Error that names it */
export function readAuthorities(file: string): string {
  const pem = readRegularFile(file, CONFIG_FILE_SIZE).toString();
  const fault = authoritiesFault(pem);
  if (fault !== undefined) throw new Error(`${file}: ${fault}`);
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
