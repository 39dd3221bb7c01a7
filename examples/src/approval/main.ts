/** The show: people ask for things and decide on them, while the worker and the website are killed again and again. */

import assert from 'node:assert/strict'
import { join } from 'node:path'

import { Killer } from '../show/killer.ts'
import { type LedgerEntry, Outside, type Question } from '../show/outside.ts'
import { Program } from '../show/programs.ts'
import { runShow } from '../show/show.ts'
import { type Mail, People, PLOTS, type Seen } from './people.ts'

await runShow('approval', async (stage) => {
  const services = {
    mail: ({ body }: Question<Mail>): void => {
      stage.say(`mail to the ${body.to} on the ${body.request}: ${body.about}`)
      const plot = PLOTS.find(({ id, answersTo }) => id === body.request && answersTo === body.about)
      if (plot !== undefined) {
        people.answer(plot).catch(() => {})
      }
    },
  }
  const outside = new Outside(services, stage.random('outside'), () => killer.noteCalls())
  const url = await outside.open()
  const args = [join(stage.folder, 'requests.db'), url]
  const worker = new Program('worker', join(import.meta.dirname, 'worker.ts'), args)
  const desk = new Program('website', join(import.meta.dirname, 'desk.ts'), args)
  const killer = new Killer({
    programs: [worker, desk],
    kills: stage.kills,
    mostCalls: 2,
    random: stage.random('kills'),
    say: stage.say,
  })
  const people = new People(desk)
  worker.start()
  desk.start()
  try {
    await Promise.all(PLOTS.map(async (plot) => await people.ask(plot)))
    const seen = await Promise.all(PLOTS.map(async ({ id }) => await people.watch(id, stage.say)))
    check(outside.effectsOf('mail'), seen)
    return (
      `${PLOTS.length} requests decided, the last by the director after 2 reminders; worker and website killed ${killer.killed} times, ` +
      `${outside.repeats} calls repeated, no mail twice`
    )
  } finally {
    people.leave()
    await Promise.all([worker.stop(), desk.stop()])
    await outside.close()
  }
})

/** Every mail was sent once, in the order of the story, and everybody can see how it ended. */
function check(mails: ReadonlyArray<LedgerEntry>, seen: ReadonlyArray<Seen>): void {
  for (const [index, { id, answersTo, decision }] of PLOTS.entries()) {
    assert.equal(seen[index]?.status, 'completed')
    assert.deepEqual(seen[index]?.state, { stage: 'decided', ...decision })
    const sent = mails.map(({ body }) => body as Mail).filter((mail) => mail.request === id)
    const story = ['please decide', 'reminder 1', 'reminder 2', 'the lead does not answer']
    // The answer may come late, since its website was killed; then there is another reminder.
    const waited = sent.slice(0, -1).map(({ about }) => about)
    assert.deepEqual(waited, story.slice(0, waited.length))
    assert.ok(waited.length > story.indexOf(answersTo), `the ${id} was decided before anybody had answered`)
    assert.deepEqual(sent.at(-1)?.about, decision.isApproved ? 'approved' : 'refused')
  }
}
