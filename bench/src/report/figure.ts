/** Figures as they stand in a table: rounded to what a measurement can tell. */

const NONE = '–'

/** With three significant digits; a dash if there is none. */
export function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) {
    return NONE
  }
  // Of large ones no digit is left out, only rounded.
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumSignificantDigits: 3 })
}

/** Two that belong together, as `38 + 42`. */
export function figures(first: number | undefined, second: number | undefined, between: string): string {
  return first === undefined && second === undefined ? NONE : `${figure(first)}${between}${figure(second)}`
}

/** How many times the one is the other. */
export function times(value: number | undefined, base: number | undefined): string {
  return value === undefined || base === undefined ? NONE : `${(value / base).toFixed(2)} ×`
}
