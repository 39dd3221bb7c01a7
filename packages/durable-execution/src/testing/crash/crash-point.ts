/** The places at which a process can die: at each call of the storage, and at each effect on the outside. */

import { isWrite } from '../conformance/engine/lives.ts'

/** A place in the life of a process, counted from its beginning. */
export type CrashPlace =
  | { kind: 'storage'; index: number; moment: 'before' | 'commit' | 'reply' }
  | { kind: 'effect'; index: number; moment: 'before' | 'after' }

/**
 * A place at which a process was made to die.
 *
 * @category Testing
 */
export type CrashPoint = {
  /** Names it, as in `only`: `storage:4:commit` or `effect:1:after`. */
  name: string
  /** Says it in words. */
  description: string
}

/** What a process passed in its life, in order. */
export type Passed =
  | { kind: 'storage'; index: number; operations: ReadonlyArray<string> }
  | { kind: 'effect'; index: number; name: string }

export type PlacedPoint = CrashPoint & { place: CrashPlace }

/**
 * The places at which the process that enqueued a task could have died, in order.
 *
 * Before its insert is committed nothing was promised, so the places begin with that commit. A call that only reads has one
 * place, and none if nothing was written or done since the place before: what is left behind is the same.
 */
export function pointsOf(passed: ReadonlyArray<Passed>): Array<PlacedPoint> {
  const points: Array<PlacedPoint> = []
  const first = passed.findIndex(
    (one) => one.kind === 'storage' && one.operations.includes('insertTaskExecutions'),
  )
  // Calls that were made before are of no interest, nor is how many they were.
  const uncounted = (passed[first]?.index ?? 1) - 1
  let isChanged = true
  for (const one of passed.slice(Math.max(first, 0))) {
    const places = placesOf(one, one === passed[first], isChanged)
    const index = one.kind === 'storage' ? one.index - uncounted : one.index
    for (const place of places) {
      points.push({ name: nameOf({ ...place, index }), description: describe(place, one, index), place })
    }
    isChanged = one.kind === 'effect' || one.operations.some(isWriting) || (isChanged && places.length === 0)
  }
  return points
}

/** The same text for the same place. */
export function nameOf({ kind, index, moment }: Pick<CrashPlace, 'kind' | 'index' | 'moment'>): string {
  return `${kind}:${index}:${moment}`
}

function placesOf(one: Passed, isFirst: boolean, isChanged: boolean): Array<CrashPlace> {
  const { kind, index } = one
  if (kind === 'effect') {
    return [
      { kind, index, moment: 'before' },
      { kind, index, moment: 'after' },
    ]
  }
  if (!one.operations.some(isWriting)) {
    return isChanged ? [{ kind, index, moment: 'before' }] : []
  }
  const reply: CrashPlace = { kind, index, moment: 'reply' }
  return isFirst ? [reply] : [{ kind, index, moment: 'before' }, { kind, index, moment: 'commit' }, reply]
}

function isWriting(operation: string): boolean {
  return isWrite({ operation, args: [] })
}

const MOMENTS: Record<CrashPlace['moment'], string> = {
  before: 'before',
  commit: 'at the end of, and before the commit of,',
  reply: 'after the commit, and before the reply, of',
  after: 'after',
}

function describe({ moment }: CrashPlace, one: Passed, index: number): string {
  const what =
    one.kind === 'effect'
      ? `effect ${index}, "${one.name}"`
      : `storage call ${index} (${one.operations.join(', ')})`
  return `${MOMENTS[moment]} ${what}`
}
