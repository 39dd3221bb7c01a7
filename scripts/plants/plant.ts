/**
 * A fault that can be planted in the engine: pieces of its source that are replaced while it is loaded. A plant that
 * does not fit the source any more is an error, not a silence.
 */

import { registerHooks } from 'node:module'

/** A piece of one source file, and the wrong one that takes its place. */
type Patch = { file: string; from: string; to: string }

/** What looks for faults. `unit`: the tests beside the sources. `suite`: the engine's conformance suite. */
export const LAYERS = ['unit', 'explorer', 'simulator', 'suite'] as const
export type Layer = (typeof LAYERS)[number]

/** A fault. */
export type Plant = {
  name: string
  what: string
  /** The promise that it breaks: an invariant's id, or words. */
  breaks: string
  patches: ReadonlyArray<Patch>
  /** Layers that cannot see it, each with the reason. */
  unseenBy?: Partial<Record<Layer, string>>
  /** The fault of the explorer's own that is the same one: it does not run the code that this one is in. */
  twin?: string
}

/** The source as the plant leaves it; undefined for a file that it does not touch. */
export function patched(plant: Plant, path: string, source: string): string | undefined {
  const patches = plant.patches.filter(({ file }) => path.endsWith(`/durable-execution/src/${file}`))
  return patches.length === 0
    ? undefined
    : patches.reduce((text, { file, from, to }) => {
        if (text.split(from).length !== 2) {
          throw new Error(`The plant ${plant.name} does not fit ${file} any more: look for "${from}"`)
        }
        return text.replace(from, () => to)
      }, source)
}

/** From now on the engine is loaded with the fault in it. */
export function plant(chosen: Plant): void {
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context)
      const text =
        typeof loaded.source === 'string'
          ? loaded.source
          : new TextDecoder().decode(loaded.source ?? undefined)
      const source = patched(chosen, url, text)
      return source === undefined ? loaded : { ...loaded, source }
    },
  })
}
