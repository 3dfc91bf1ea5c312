import { VMSERVERD_CERTIFICATE_DAYS, VMSERVERD_CERTIFICATE_USUAL } from '../../../kit/vmserverd-limits.js';
import { fields, flag, list, matching, nothing, optional, text, whole } from '../../../protocols/vmserverd/shape.js';
import { fault } from '../faults.js';
import { row, type Rows } from './parts.js';

/** How connections are secured: for accounts with every right on everything. */

/** What a certificate is made out for: a name or an address, as it is typed to reach the server. */
const commonName = matching(/^(?=.{1,64}$)[A-Za-z\d](?:[A-Za-z\d.:-]*[A-Za-z\d])?$/, 'a name or an address');

export const securityRows: Rows = {
  Security_ActivateConfig: row({
    handler: 'VMware::VMServerd::SecurityEdit::ActivateConfig_Handler', access: 'rootonly',
    in: fields({ config: fields({ ssl: flag }) }), out: nothing,
    run: async ({ args: { config: { ssl } }, parts: { security } }) => {
      if (!ssl) throw fault('NO_PERMISSION', 'TLS is not turned off from afar: where the server listens without it, its configuration says');
      await security.activate();
      return {};
    },
  }),
  Security_CreateCertificate: row({
    handler: 'VMware::VMServerd::SecurityEdit::CreateCertificate_Handler', access: 'rootonly',
    in: fields({ commonName, days: optional(whole(1, VMSERVERD_CERTIFICATE_DAYS)) }), out: fields({ certificate: text(), fingerprint: text() }),
    run: ({ args: { commonName: name, days = VMSERVERD_CERTIFICATE_USUAL }, parts: { security } }) => security.create(name, days),
  }),
  Security_GetConfig: row({
    handler: 'VMware::VMServerd::SecurityEdit::GetConfig_Handler', access: 'rootonly',
    in: nothing,
    out: fields({ config: fields({
      ssl: flag, tlsMin: optional(text()), tlsMax: optional(text()), listen: list('address', text()), tlsListen: list('address', text()),
      certificateFrom: optional(text()), certSubject: optional(text()), certNotAfter: optional(whole()), certFingerprint: optional(text()), staged: flag,
    }) }),
    run: ({ parts: { security } }) => ({ config: security.describe() }),
  }),
};
