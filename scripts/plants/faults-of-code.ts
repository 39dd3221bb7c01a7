/** Faults of durable code: what is remembered, waited for and undone. The simulator finds them; the other layers are not asked. */

import { type Plant } from './plant.ts'

const STEP = 'executor/durable/step.ts'

export const CODE_FAULTS: ReadonlyArray<Plant> = [
  {
    name: 'a-step-is-done-again',
    what: 'a step whose result is remembered is done again by each run',
    breaks: 'a step whose result is stored is not done again',
    patches: [
      { file: STEP, from: 'history.known(call.id) === undefined &&', to: 'history.size >= 0 &&' },
      { file: STEP, from: 'if (done?.output !== undefined) {', to: 'if (done?.output === call.name) {' },
    ],
  },
  {
    name: 'a-value-before-its-commit',
    what: 'the code goes on with the result of a step that is not committed yet',
    breaks: 'the first run sees what every later one will',
    patches: [
      {
        file: STEP,
        from: "remember: (text) => writer.write({ executionId: call.id, kind: '#step', output: text }),",
        to: `remember: (text) => {
      void writer.write({ executionId: call.id, kind: '#step', output: text })
      return Promise.resolve()
    },`,
      },
    ],
  },
  {
    name: 'a-wait-that-is-over-takes-a-signal',
    what: 'a wait that timed out keeps its place in the queue of its run',
    breaks: 'each signal is given to one wait, and none is lost',
    patches: [
      {
        file: 'executor/durable/signals.ts',
        from: `} catch (error) {
    queue.leave(slot)`,
        to: `} catch (error) {
    if (!slot.isReady) { queue.leave(slot) }`,
      },
      {
        file: 'executor/durable/signals.ts',
        from: `slot.isReady = false
  const unless`,
        to: 'const unless',
      },
    ],
  },
  {
    name: 'a-signal-comes-twice',
    what: 'a signal whose reply was lost is sent again without a look for the first one',
    breaks: 'a signal counts once',
    patches: [{ file: 'store/signal.ts', from: 'if (isRepeat && ', to: 'if (!isRepeat && ' }],
  },
  {
    name: 'undone-from-the-first',
    what: 'what was registered first is undone first',
    breaks: 'what was registered is undone, the last first',
    patches: [
      {
        file: 'executor/durable/compensation.ts',
        from: 'all.toReversed()',
        to: 'all',
      },
    ],
  },
  {
    name: 'undone-as-the-last-attempt-went',
    what: 'what only an earlier attempt registered is left as it is',
    breaks: 'what was registered is undone, the last first',
    patches: [
      {
        file: 'executor/durable/compensation.ts',
        from: 'for (let retryAttempts = 0;',
        to: 'for (let { retryAttempts } = parent;',
      },
    ],
  },
  {
    name: 'undoing-is-too-late',
    what: 'what undoes an execution has its deadline, which may have passed',
    breaks: 'what was registered is undone, the last first',
    patches: [
      {
        file: 'machine/transition.ts',
        from: 'awaitedChildRows(withoutDeadline, [compensation], now)',
        to: 'awaitedChildRows(row, [compensation], now)',
      },
    ],
  },
]
