//! The asciinema player, as the page uses it. This module and what it imports is loaded when a recording is first watched.
import 'asciinema-player/dist/bundle/asciinema-player.css';
import { create, type Player } from 'asciinema-player';

/** How a recording is played. */
export interface Playing {
  /** Times as fast. */
  speed: number;
  /** Pauses are no longer than this, in seconds; 0: as long as they were. */
  idle: number;
  /** Where it begins, in seconds. */
  at: number;
  theme: 'light' | 'dark';
  /** Whether it goes on by itself. */
  autoplay: boolean;
}

/** Plays an asciicast in a place of the page. */
export function play(cast: string, place: HTMLElement, playing: Playing): Player {
  return create({ data: cast }, place, {
    speed: playing.speed,
    ...(playing.idle > 0 ? { idleTimeLimit: playing.idle } : {}),
    startAt: playing.at,
    autoplay: playing.autoplay,
    preload: true,
    fit: 'both',
    controls: true,
    theme: playing.theme === 'dark' ? 'sandlot-dark' : 'sandlot-light',
    terminalLineHeight: 1.2,
  });
}
