/** Faults of durable code: what is remembered, waited for and undone. */

import { type Plant } from './plant.ts'

const STEP = 'executor/durable/step.ts'
const RULES = 'machine/durable.ts'
const CALLS = 'executor/durable/calls.ts'

const TAKES_ALL = 'its storage takes every value'

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
      writer.write({ executionId: call.id, kind: '#step', output: text }).catch(() => undefined)
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
    name: 'a-signal-wakes-nobody',
    what: 'a signal is kept, and whoever waits for it is left as it is',
    breaks: 'L5',
    patches: [
      {
        file: RULES,
        from: 'update: isWaitingFor(row, waits) ?',
        to: 'update: isWaitingFor(row, () => false) ?',
      },
    ],
  },
  {
    name: 'what-came-meanwhile-is-missed',
    what: 'an execution that is left does not look whether what it waits for has come',
    breaks: 'L5',
    patches: [
      {
        file: RULES,
        from: 'const hasCome = waitsFor.some((one) => isOver(one, prefix, rows))',
        to: 'const hasCome = waitsFor.length < 0',
      },
    ],
  },
  {
    name: 'children-are-not-counted-down',
    what: 'a child that ends well is not taken from those that its parent waits for',
    breaks: 'L5',
    patches: [{ file: RULES, from: '{ ...one, left: one.left - 1 }', to: '{ ...one }' }],
  },
  {
    name: 'a-child-outlives-a-write-that-is-undecided',
    what: 'a run that ends while a write of its is undecided goes by what it knew before',
    breaks: 'children that run when their parent ends are cancelled',
    patches: [
      {
        file: 'executor/committer.ts',
        from: 'return onWritten === undefined && run.calls?.writer.isWriting === true',
        to: 'return onWritten !== undefined && run.calls === undefined',
      },
    ],
    unseenBy: {
      simulator: 'its runs end when they like, and not while a write of theirs is tried again and again',
    },
  },
  {
    name: 'refused-along-with-others',
    what: 'what the storage refuses of one call fails all that were written with it',
    breaks: 'what the storage refuses of one call fails no other',
    patches: [
      {
        file: 'executor/durable/writer.ts',
        from: 'this.#oneByOne.push(...parts)',
        to: 'parts.forEach(({ waiting }) => waiting?.reject(error))',
      },
    ],
    unseenBy: { simulator: TAKES_ALL },
  },
  {
    name: 'a-call-begins-after-the-grace',
    what: 'a run that was told to leave begins its next call all the same',
    breaks: 'what a shutdown leaves is run by others at once',
    patches: [
      {
        file: CALLS,
        from: 'if (this.isToldToLeave) {',
        to: "if (this.isToldToLeave && this.prefix === '') {",
      },
    ],
    unseenBy: { simulator: 'what is done twice then is done under a lease of its own each time' },
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
    name: 'undone-as-far-as-the-first-branch-came',
    what: 'where a call has no answer, what is beside it is not looked at any more',
    breaks: 'what was registered is undone, the last first',
    patches: [
      {
        file: 'executor/durable/replay.ts',
        from: 'this.#isStuck ||= given === undefined',
        to: 'if (given === undefined) { this.#end() }',
      },
    ],
    unseenBy: { unit: 'the tests beside it are about clocks' },
  },
  {
    name: 'a-step-begins-after-its-run',
    what: 'a step begins though its run was over before it was known whether it was done',
    breaks: 'a step whose run is over does not begin',
    patches: [
      {
        file: STEP,
        from: 'if (begun === undefined && !calls.mayBegin()) {',
        to: "if (begun === undefined && calls.prefix === '') {",
      },
    ],
    unseenBy: { simulator: 'a run that has lost its lease and does not know it may do again what others do' },
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
    unseenBy: { explorer: 'its executions that have a deadline have nothing to undo' },
  },
]
