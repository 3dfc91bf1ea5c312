import * as v from 'valibot';
import { text } from '../../config/values.js';
import { parseLibvirtUri } from '../../protocols/libvirt/uri.js';
import type { DriverModule } from '../driver.js';
import { accessEntries } from '../ssh/options.js';
import { LibvirtDriver } from './driver.js';
import { networkEntries } from './management/network.js';

const uri = v.pipe(text, v.rawCheck(({ dataset, addIssue }) => {
  if (!dataset.typed) return;
  try {
    parseLibvirtUri(dataset.value);
  } catch (error) {
    addIssue({ message: (error as Error).message });
  }
}));

/** Not looked at by us: another libvirtd opens it, which has more transports. */
const peerUri = v.pipe(text, v.regex(/^qemu(?:\+[a-z0-9]+)?:\/\/\S*\/(?:system|session)(?:\?\S*)?$/, 'write it as the other libvirtd would open it: qemu+tls://host/system'));
const folder = v.pipe(text, v.regex(/^\/(?!.*\/\.\.?(?:\/|$))[^\0\n]*[^\0\n/]$/, 'an absolute path on the host is expected, such as /var/lib/argo/templates'));

const options = {
  uri: v.optional(uri, 'qemu:///system'),
  /** for qemu+ssh:// */
  ...accessEntries,
  ...networkEntries,
  /** the storage pools in which images of disks and of discs are */
  'image-pool': v.optional(text, 'default'),
  'iso-pool': v.optional(text),
  /** the network of machines that are made here */
  network: v.optional(text),
  'migrate-uri': v.optional(peerUri),
  'migrate-data-uri': v.optional(v.pipe(text, v.regex(/^(?:tcp|rdma):\/\/[^/\s]+$|^unix:\/\/\/\S+$/, 'write tcp://host or tcp://host:port'))),
  'migrate-disks': v.optional(v.picklist(['shared', 'copied'], 'write "shared" or "copied"'), 'shared'),
  /** where templates, and the roots of containers that are made here, lie on the host */
  'template-folder': v.optional(folder, '/var/lib/argo/templates'),
  'container-folder': v.optional(folder, '/var/lib/argo/containers'),
};

/** Virtual machines and containers of a libvirt: QEMU/KVM, LXC, and what else it has a driver for. */
const libvirt: DriverModule<typeof options> = {
  options,
  defaults: {
    // Events keep the registry current; the poll only repairs what they missed.
    pollInterval: 60_000,
    // The connection has its own limit, and quick questions do not wait behind slow ones: waiting is its part.
    concurrency: 64,
  },
  open: (given, host) => new LibvirtDriver(given, host),
};

export default libvirt;
