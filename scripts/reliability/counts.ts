/** Numbers from the command line. */

/** The number that was given for an option, which may be no less than the smallest. */
export function toNumber(name: string, text: string, smallest: number): number {
  const number = Number(text)
  if (text.trim() === '' || !Number.isFinite(number) || number < smallest) {
    throw new Error(`--${name} is a number, ${smallest} or more, not ${text}`)
  }
  return number
}

/** The same for a whole number. */
export function toCount(name: string, text: string, smallest: number): number {
  const number = toNumber(name, text, smallest)
  if (!Number.isInteger(number)) {
    throw new Error(`--${name} is a whole number, not ${text}`)
  }
  return number
}
