/** Ways of making many calls: by so many callers at once, or so many things in a call. */

/** Calls `call` with 0 to `count` - 1, by so many callers at once. */
export async function byCallers(
  callers: number,
  count: number,
  call: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < count) {
      next += 1
      await call(next - 1)
    }
  }
  await Promise.all(Array.from({ length: Math.min(callers, count) }, caller))
}

/** The numbers from 0 to `count` - 1, in lists of at most `size`. */
export function chunks(count: number, size: number): Array<Array<number>> {
  return Array.from({ length: Math.ceil(count / size) }, (_, chunk) =>
    Array.from({ length: Math.min(size, count - chunk * size) }, (_, index) => chunk * size + index),
  )
}
