import * as v from 'valibot'
import { expect, test } from 'vitest'
import { z } from 'zod'

import { checkInput, validatorOf } from './schema.ts'

const bad = { name: 3, tags: ['a', 5] }

test('what a zod schema refuses is told a line an issue, with its place', async () => {
  const schema = z.object({ name: z.string(), tags: z.array(z.string()) })
  await expect(checkInput('greet', validatorOf(schema), bad)).rejects.toMatchObject({
    isRetryable: false,
    message:
      'Invalid input to task greet: × Invalid input: expected string, received number\n  → at name\n' +
      '× Invalid input: expected string, received number\n  → at tags.1',
  })
})

test('what a valibot schema refuses is told in the same way', async () => {
  const schema = v.object({ name: v.string(), tags: v.array(v.string()) })
  await expect(checkInput('greet', validatorOf(schema), bad)).rejects.toMatchObject({
    isRetryable: false,
    message:
      'Invalid input to task greet: × Invalid type: Expected string but received 3\n  → at name\n' +
      '× Invalid type: Expected string but received 5\n  → at tags.1',
  })
})

test('what a schema makes of the input is what counts', async () => {
  const zod = validatorOf(z.string().transform((text) => text.length))
  const valibot = validatorOf(
    v.pipe(
      v.string(),
      v.transform((text) => text.length),
    ),
  )
  expect(await checkInput('count', zod, 'four')).toBe(4)
  expect(await checkInput('count', valibot, 'four')).toBe(4)
})
