//! What the terminal itself says, as against what somebody types: answers to programs' questions, the mouse, the focus. Such
//! a report is of the moment; one that cannot be sent at once is of no use later.

/** Focus; the mouse in its encodings. */
const DEEDS = /^\x1b\[(?:[IO]|<[\d;]+[Mm]|[\d;]+M|M[\s\S]{3})$/;

const ANSWERS = [
  // Cursor position, device status and attributes, modes, the terminal's size.
  /^\x1b\[[?>=]?[\d;]*(?:[Rcntxy]|\$y)$/,
  // Colours, the clipboard, settings.
  /^\x1b[\]P]/,
];

/** Whether `data` is an answer to a program's question: every terminal that sees the question gives one. */
export function isAnswer(data: string): boolean {
  return data.charCodeAt(0) === 0x1b && ANSWERS.some((pattern) => pattern.test(data));
}

/** Whether `data` is a report. */
export function isReport(data: string): boolean {
  return DEEDS.test(data) || isAnswer(data);
}
