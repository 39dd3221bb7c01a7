/** The show: agents answer tickets, a human agrees to what is dangerous, and the process of the agents is killed again and again. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor, type DurableTaskHandle } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { Killer } from '../show/killer.ts'
import { Outside } from '../show/outside.ts'
import { Program } from '../show/programs.ts'
import { runShow } from '../show/show.ts'
import { createServices } from './services.ts'
import { type AgentState, type Approval, defineTasks, type Ticket } from './tasks.ts'

const TICKETS: ReadonlyArray<Ticket> = [
  { id: 'ticket-1', customer: 'ada', order: 'A-1', text: 'Where is my lamp? I want my money back.' },
  { id: 'ticket-2', customer: 'bob', order: 'A-2', text: 'My sofa never came. I want my money back.' },
  { id: 'ticket-3', customer: 'eve', order: 'A-3', text: 'When does my chair come?' },
]

// What the human in charge lets an agent give away.
const MOST_CENTS = 100_000

await runShow('agent', async ({ folder, kills, random, say }) => {
  const outside = new Outside(createServices(), random('outside'), () => killer.noteCalls())
  const services = await outside.open()
  const database = join(folder, 'agents.db')
  const worker = new Program('worker', join(import.meta.dirname, 'worker.ts'), [database, services])
  const killer = new Killer({ programs: [worker], kills, mostCalls: 4, random: random('kills'), say })
  worker.start()
  try {
    const ends = await answerTickets(database, services, say)
    assert.deepEqual(
      ends,
      TICKETS.map(({ id }) => `${id} is answered`),
    )
    const [approved, refused] = check(outside)
    return (
      `${TICKETS.length} tickets answered, ${approved} refund approved and ${refused} refused by a human; worker killed ${killer.killed} times, ` +
      `${outside.repeats} calls repeated, no answer of the model paid twice`
    )
  } finally {
    await worker.stop()
    await outside.close()
  }
})

/** The helpdesk: it writes tickets into the storage, and lets a human look at what the agents ask for. */
async function answerTickets(
  database: string,
  services: string,
  say: (line: string) => void,
): Promise<Array<string>> {
  const storage = createSqliteStorage({ path: database })
  const helpdesk = new DurableExecutor(storage)
  try {
    const handles = await helpdesk.enqueueTasks(defineTasks(helpdesk, services), TICKETS)
    const decided = new Set<string>()
    return await Promise.all(
      handles.map(async (handle) => {
        let isOver = false
        const ending = handle.waitAndGetTaskFinishedExecution().finally(() => {
          isOver = true
        })
        while (!isOver) {
          await decide(helpdesk, handle, decided, say)
          await Promise.race([ending, pause(50)])
        }
        const end = await ending
        say(end.status === 'completed' ? end.output : `${end.executionId} is ${end.status}`)
        return end.status === 'completed' ? end.output : end.status
      }),
    )
  } finally {
    await helpdesk.shutdown()
    await storage.close()
  }
}

/** The human: looks at what an agent asks for, and says yes or no. */
async function decide(
  helpdesk: DurableExecutor,
  handle: DurableTaskHandle<string>,
  decided: Set<string>,
  say: (line: string) => void,
): Promise<void> {
  const state = await handle.getState<AgentState>()
  for (const { id, tool, input } of state?.toApprove ?? []) {
    if (!decided.has(id)) {
      decided.add(id)
      const isApproved = Number(input['cents']) <= MOST_CENTS
      say(`grace ${isApproved ? 'approves' : 'refuses'} ${tool} ${JSON.stringify(input)}`)
      // With a key, so that saying it again would do no harm.
      await helpdesk.signal(
        handle.getTaskExecutionId(),
        `approval ${id}`,
        { isApproved, by: 'grace' } satisfies Approval,
        { idempotencyKey: id },
      )
    }
  }
}

/** What the world outside has seen: every answer of the model was paid once, and every tool did once what it did. */
function check(outside: Outside): [approved: number, refused: number] {
  const refunds = outside.effectsOf('refund').map(({ body }) => body)
  assert.deepEqual(refunds, [{ order: 'A-1', cents: 4_900 }])
  const replies = outside.effectsOf('reply').map(({ body }) => body as { customer: string; text: string })
  assert.deepEqual(replies.map(({ customer, text }) => `${customer}: ${text}`).toSorted(), [
    'ada: You get your money back',
    'bob: Somebody will call you',
    'eve: Your parcel is on its way',
  ])
  assert.equal(outside.effectsOf('look_up_order').length, TICKETS.length)
  assert.equal(outside.effectsOf('look_up_customer').length, TICKETS.length)
  assert.equal(outside.effectsOf('model').length, 4 + 4 + 3)
  return [refunds.length, 1]
}
