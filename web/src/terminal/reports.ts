//! What the terminal itself says, as against what somebody types: answers to programs' questions, the mouse, the focus. Such
//! a report is of the moment; one that cannot be sent at once is of no use later.

const REPORTS = [
  // Focus; the mouse in its encodings.
  /^\x1b\[(?:[IO]|<[\d;]+[Mm]|[\d;]+M|M[\s\S]{3})$/,
  // Cursor position, device status and attributes, modes, the terminal's size.
  /^\x1b\[[?>=]?[\d;]*(?:[Rcntxy]|\$y)$/,
  // Colours, the clipboard, settings.
  /^\x1b[\]P]/,
];

/** Whether `data` is a report. */
export function isReport(data: string): boolean {
  return data.charCodeAt(0) === 0x1b && REPORTS.some((pattern) => pattern.test(data));
}
