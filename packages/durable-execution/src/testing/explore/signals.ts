/** Somebody outside sends signals, each in a transaction of its own, and again if no reply comes. */

import { idPrefix, type NewRecord, signalId } from '../../machine/records.ts'
import { afterCommit, type Carrier, type Committed, transact } from './engine.ts'
import { type Step } from './steps.ts'
import { type Sending, spend, type World } from './world.ts'

/** Each signal that was not sent yet, or whose sender has heard nothing, may be sent next. */
export function addSignals(world: World, carrier: Carrier, steps: Array<Step>): void {
  for (const [index, sending] of world.sendings.entries()) {
    const name = carrier.scenario.signals?.[index]
    if (name === undefined || sending === 'done') {
      continue
    }
    const committed = send(world, carrier, name, `${name}${index}`, sending === 'unsure')
    const { accepted } = committed
    const what = `signal ${name}${index} is sent${sending === 'unsure' ? ' again' : ''}`
    const result = accepted.length > 0 ? 'committed' : 'and changes nothing'
    steps.push({
      next: withSending(afterCommit(world, committed), index, 'done'),
      accepted,
      isMisfortune: false,
      describe: () => `${what}, ${result}`,
    })
    if (world.left.lostReplies === 0 || sending === 'unsure') {
      continue
    }
    steps.push({
      next: spend(withSending(world, index, 'unsure'), 'lostReplies'),
      accepted: [],
      isMisfortune: true,
      describe: () => `${what}, and is lost on the way`,
    })
    if (accepted.length > 0) {
      steps.push({
        next: spend(withSending(afterCommit(world, committed), index, 'unsure'), 'lostReplies'),
        accepted,
        isMisfortune: true,
        describe: () => `${what}, ${result}, and the reply is lost`,
      })
    }
  }
}

/** The next signal of its name, under a lock of the execution; one that comes twice is known by its token. */
function send({ rows }: World, carrier: Carrier, name: string, token: string, isRepeat: boolean): Committed {
  const executionId = carrier.scenario.rootTaskId
  const prefix = idPrefix(executionId)
  let ordinal = 1
  for (
    let at = rows.get(signalId(prefix, name, 1));
    at !== undefined;
    at = rows.get(signalId(prefix, name, ordinal))
  ) {
    if (isRepeat && at.runOutput === token) {
      return { rows, accepted: [] }
    }
    ordinal += 1
  }
  const record: NewRecord = {
    executionId: signalId(prefix, name, ordinal),
    kind: '#signal',
    output: '',
    token,
  }
  return transact(
    carrier,
    rows,
    [executionId],
    [{ kind: 'signalled', executionId, name, ordinal, records: [record] }],
  )
}

function withSending(world: World, index: number, sending: Sending): World {
  return { ...world, sendings: world.sendings.with(index, sending) }
}
