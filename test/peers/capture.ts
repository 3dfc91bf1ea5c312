import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/until.js';
import type { Enclosure } from './enclosure.js';

const START_TIMEOUT_MS = 60_000;
const CAPTURE_TIMEOUT_MS = 60_000;
/** pcap-savefile(5): the file's header, and that of each packet, of which bytes 8 to 11 are the length. */
const FILE_HEADER = 24;
const PACKET_HEADER = 16;

/** tcpdump at the other end of the cables: the frames as somebody else sees them. */
export interface Capture {
  /** Waits until so many frames are there. */
  frames(count: number): Promise<Buffer[]>;
}

let captures = 0;

/** @param device of the namespace h @param filter pcap-filter(7) */
export async function startCapture(enclosure: Enclosure, device: string, filter: string): Promise<Capture> {
  captures += 1;
  const file = join(enclosure.scratch, `capture-${captures}.pcap`);
  const log = join(enclosure.scratch, `capture-${captures}.log`);
  closeSync(openSync(log, 'w'));
  enclosure.daemon(['ip', 'netns', 'exec', 'h', 'tcpdump', '-Z', 'root', '-p', '-U', '--immediate-mode', '-i', device, '-w', file, filter], log);
  await until(() => readFileSync(log, 'utf8').includes('listening on') && existsSync(file), START_TIMEOUT_MS, 'tcpdump');
  return {
    frames: async (count) => {
      await until(() => readFrames(file).length >= count, CAPTURE_TIMEOUT_MS, `${count} frames at ${device}`);
      return readFrames(file);
    },
  };
}

function readFrames(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const frames = [];
  for (let at = FILE_HEADER; at + PACKET_HEADER <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 8);
    if (at + PACKET_HEADER + length > bytes.length) break;
    frames.push(bytes.subarray(at + PACKET_HEADER, at + PACKET_HEADER + length));
    at += PACKET_HEADER + length;
  }
  return frames;
}
