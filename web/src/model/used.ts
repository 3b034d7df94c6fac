//! What a session has used, as a person reads it.
import type { SessionUsage } from '../protocol/generated';
import { plural } from './lease';
import { bytes } from './meters';

/** One line of a summary. */
export interface Fact {
  name: string;
  value: string;
}

/** The lines that say something: a session without a network has none about it. What is written and still in memory is on
 * no device yet. */
export function facts(used: SessionUsage): Fact[] {
  const network = used.received_bytes + used.sent_bytes;
  const devices = used.read_bytes + used.written_bytes;
  return [
    { name: 'Time', value: lasting(used.wall_seconds) },
    { name: 'Processor', value: seconds(used.cpu_ns / 1e9) },
    { name: 'Memory at most', value: bytes(used.memory_peak_bytes) },
    { name: 'Disk at most', value: bytes(used.disk_peak_bytes) },
    ...(devices > 0
      ? [{ name: 'Devices', value: `${bytes(used.read_bytes)} read, ${bytes(used.written_bytes)} written` }]
      : []),
    ...(network > 0
      ? [{ name: 'Network', value: `${bytes(used.received_bytes)} received, ${bytes(used.sent_bytes)} sent` }]
      : []),
  ];
}

/** `45 seconds`, `12 minutes`, `1 hour 5 minutes`. */
export function lasting(total: number): string {
  const whole = Math.max(0, Math.floor(total));
  if (whole < 60) return plural(whole, 'second');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const words = [hours > 0 ? plural(hours, 'hour') : '', minutes > 0 ? plural(minutes, 'minute') : ''];
  return words.filter((word) => word !== '').join(' ');
}

/** Processor time: `0.4 s`, `12 s`, `3 min 5 s`. */
export function seconds(count: number): string {
  if (count < 0.05) return 'under 0.1 s';
  if (count < 10) return `${Math.round(count * 10) / 10} s`;
  const whole = Math.round(count);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
