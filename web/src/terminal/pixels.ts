//! Whether this browser tells the truth about device pixels. xterm.js's WebGL renderer sizes its canvas by
//! `devicePixelContentBoxSize`; where a screen is only emulated (Chromium's phone emulation, for one) that is in CSS pixels,
//! and the text would come out blurred and cut.

/** Resolves to whether an element's device pixels are its CSS pixels times the device's ratio. */
export function devicePixels(element: HTMLElement): Promise<'true' | 'false'> {
  return new Promise((resolve) => {
    const observer = new ResizeObserver(([entry]) => {
      observer.disconnect();
      const told = entry?.devicePixelContentBoxSize?.[0]?.inlineSize;
      const width = entry?.contentRect.width ?? 0;
      const off = told === undefined ? 0 : told - width * devicePixelRatio;
      // Rounding to whole pixels at each end may cost one each.
      resolve(Math.abs(off) <= 2 ? 'true' : 'false');
    });
    try {
      observer.observe(element, { box: 'device-pixel-content-box' });
    } catch {
      // Not known here (Safari): xterm.js multiplies by the ratio itself.
      resolve('true');
    }
  });
}
