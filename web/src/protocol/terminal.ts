//! The terminal WebSocket as the browser sees it: text frames are one JSON control message each, binary frames are bytes
//! of the terminal. This file turns text into typed messages and back; it knows no socket and no page.
//! An unexpected message is a `ProtocolError` that says what was expected.

import type { ClientMessage, Onlooker, ServerMessage } from './generated';

/** A frame that is not in the protocol; the connection that carried it is of no more use. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}

type Fields = Record<string, unknown>;

/** Reads a text frame. Fields that this version does not know are ignored; a kind it does not know is an error. */
export function parseServerMessage(text: string): ServerMessage {
  const fields = parseObject(text);
  switch (fields['type']) {
    case 'hello':
      return {
        type: 'hello',
        id: string(fields, 'id'),
        mode: fields['mode'] === 'view' ? 'view' : 'control',
        cols: count(fields, 'cols'),
        rows: count(fields, 'rows'),
        replay: fields['replay'] === true,
        replay_bytes: count(fields, 'replay_bytes'),
        driven: fields['driven'] === true,
        seq: count(fields, 'seq'),
        ...(fields['taken'] === undefined ? {} : { taken: count(fields, 'taken') }),
      };
    case 'taken':
      return { type: 'taken', bytes: count(fields, 'bytes') };
    case 'exit':
      return { type: 'exit', code: integer(fields, 'code') };
    case 'notice':
      return {
        type: 'notice',
        level: fields['level'] === 'warning' ? 'warning' : 'info',
        text: string(fields, 'text'),
      };
    case 'people':
      return { type: 'people', people: list(fields, 'people').map(onlooker) };
    case 'recording':
      return {
        type: 'recording',
        state: fields['state'] === 'on' ? 'on' : 'stopped',
        input: fields['input'] === true,
      };
    case 'size':
      return { type: 'size', cols: count(fields, 'cols'), rows: count(fields, 'rows') };
    case 'lease':
      return {
        type: 'lease',
        expires_at: string(fields, 'expires_at'),
        remaining_seconds: count(fields, 'remaining_seconds'),
        extensions_left: count(fields, 'extensions_left'),
      };
    default:
      throw new ProtocolError(
        `expected a message of type hello, taken, exit, notice, people, recording, size or lease, got ${JSON.stringify(fields['type'])}`,
      );
  }
}

/** Writes a text frame. */
export function formatClientMessage(message: ClientMessage): string {
  return JSON.stringify(message);
}

function parseObject(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError(`expected a JSON object, got ${JSON.stringify(text.slice(0, 60))}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError('expected a JSON object');
  }
  return value as Fields;
}

function list(fields: Fields, name: string): Fields[] {
  const value = fields[name];
  const objects = Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null);
  if (!objects) throw new ProtocolError(`expected a list in "${name}" of ${String(fields['type'])}`);
  return value as Fields[];
}

function onlooker(fields: Fields): Onlooker {
  return {
    name: string(fields, 'name'),
    mode: fields['mode'] === 'view' ? 'view' : 'control',
    drives: fields['drives'] === true,
    you: fields['you'] === true,
  };
}

function string(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new ProtocolError(`expected a string in "${name}" of ${String(fields['type'])}`);
  return value;
}

function integer(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new ProtocolError(`expected an integer in "${name}" of ${String(fields['type'])}`);
  }
  return value;
}

function count(fields: Fields, name: string): number {
  const value = integer(fields, name);
  if (value < 0) throw new ProtocolError(`expected no negative number in "${name}" of ${String(fields['type'])}`);
  return value;
}
