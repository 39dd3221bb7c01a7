import { expect, test } from 'vitest'

import { InFlight } from './in-flight.ts'

test('it is idle once all that was under way has ended, however', async () => {
  const inFlight = new InFlight()
  const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
  const works = [inFlight.run(() => first.promise), inFlight.run(() => second.promise)]
  let isIdle = false
  const idle = inFlight.idle().then(() => {
    isIdle = true
  })
  first.resolve('done')
  expect(await works[0]).toBe('done')
  expect(isIdle).toBe(false)
  second.reject(new Error('failed'))
  await expect(works[1]).rejects.toThrow('failed')
  await idle
  await inFlight.idle()
})

test('work that throws at once is not under way any more', async () => {
  const inFlight = new InFlight()
  const work = inFlight.run(() => {
    throw new Error('at once')
  })
  await expect(work).rejects.toThrow('at once')
  await inFlight.idle()
})
