/** xen-api's XML-RPC, a file of its own in the bundle: its ES modules would each be loaded alone, and Node set up for the first. */
export { default as create } from 'xen-api/transports/xml-rpc.mjs';
export { default as UnsupportedTransport } from 'xen-api/transports/_UnsupportedTransport.mjs';
export { default as TheirError } from 'xen-api/_XapiError.mjs';
