//! The session's use of processor and memory, from the server's counters to what a meter shows.
import type { SessionStats } from '../protocol/generated';

/** What a meter shows: a share from 0 to 1 and its words. */
export interface Reading {
  share: number;
  /** Short: `12 %`, `38 MB`. */
  text: string;
  /** In full: `38 MB of 256 MB`. */
  words: string;
}

/** A counter and when it was read, in milliseconds. */
export interface Sample {
  at: number;
  stats: SessionStats;
}

/** Processor use between two samples, as a share of what the session may use. */
export function cpuReading(before: Sample, after: Sample): Reading {
  const wall = (after.at - before.at) * 1e6;
  const used = after.stats.cpu_usage_ns - before.stats.cpu_usage_ns;
  const cpus = after.stats.cpus;
  const share = wall > 0 && cpus > 0 ? clamp(used / wall / cpus) : 0;
  const text = `${Math.round(share * 100)} %`;
  return { share, text, words: `${text} of ${cpus === 1 ? 'one processor' : `${trim(cpus)} processors`}` };
}

/** Memory in use against its limit. */
export function memoryReading(stats: SessionStats): Reading {
  const { memory_bytes: used, memory_limit_bytes: limit } = stats;
  const text = bytes(used);
  return limit > 0
    ? { share: clamp(used / limit), text, words: `${text} of ${bytes(limit)}` }
    : { share: 0, text, words: text };
}

/** Bytes in a person's units, powers of 1024 as memory is sold: `38 MB`, `1.2 GB`. */
export function bytes(count: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 && unit > 1 ? trim(value) : Math.round(value)} ${units[unit]}`;
}

function trim(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
