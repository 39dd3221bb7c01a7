/** Cases: what tasks may be called. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'

const run = (): string => 'done'

const define = (executor: DurableExecutor, id: string, timeoutMs: number = 1_000): { id: string } =>
  executor.task({ id, timeoutMs, run })

export const TASK_ID_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'task_id.length',
    'a task id of 255 characters is taken, one of 256 or none is not',
    async (world) => {
      const executor = world.newExecutor()
      assert.equal(define(executor, 'x'.repeat(255)).id.length, 255)
      await assertRefused(() => define(executor, 'x'.repeat(256)), 'Id cannot be longer than 255 characters')
      await assertRefused(() => define(executor, ''), 'Id cannot be empty')
      await assertRefused(() => define(executor, undefined as never), 'Id cannot be empty')
    },
  ),

  engineCase('task_id.characters', 'a task id has letters, digits and underscores alone', async (world) => {
    const executor = world.newExecutor()
    define(executor, 'Send_mail_2')
    for (const id of ['send-mail', 'send mail', 'send.mail', 'sénd', 'send\n', ' send']) {
      await assertRefused(
        () => define(executor, id),
        'Id can only contain alphanumeric characters and underscores',
      )
    }
  }),

  engineCase(
    'task_id.unique',
    'a second task of the same id is refused on one executor, not on another',
    async (world) => {
      const executor = world.newExecutor()
      define(executor, 'once')
      await assertRefused(
        () => define(executor, 'once'),
        'Task once already exists. Use unique ids for tasks',
      )
      await assertRefused(
        () => executor.validateInput((input: string) => input).task({ id: 'once', timeoutMs: 1, run }),
        'Task once already exists. Use unique ids for tasks',
      )
      define(world.newExecutor(), 'once')
    },
  ),

  engineCase(
    'task_id.finalize_is_a_task',
    'a finalize task has an id of its own among all others',
    async (world) => {
      const executor = world.newExecutor()
      define(executor, 'taken')
      const parent = (id: string, finalizeId: string): { id: string } =>
        executor.parentTask({
          id,
          timeoutMs: 1_000,
          runParent: () => ({ output: 1 }),
          finalizeTask: { id: finalizeId, timeoutMs: 1_000, run },
        })
      await assertRefused(() => parent('parent', 'taken'), /^Task taken already exists/)
      await assertRefused(() => parent('same', 'same'), /^Task same already exists/)
      await assertRefused(() => parent('parent', 'not-an-id'), /^Id can only contain/)
      parent('parent', 'finish')
      await assertRefused(() => define(executor, 'finish'), /^Task finish already exists/)
    },
  ),

  engineCase(
    'task_id.refused_registers_nothing',
    'of a refused definition no part is known afterwards',
    async (world) => {
      const executor = world.newExecutor()
      define(executor, 'taken')
      await assertRefused(
        () =>
          executor.parentTask({
            id: 'parent',
            timeoutMs: 1_000,
            runParent: () => ({ output: 1 }),
            finalizeTask: {
              id: 'middle',
              timeoutMs: 1_000,
              runParent: () => ({ output: 1 }),
              finalizeTask: { id: 'taken', timeoutMs: 1_000, run },
            },
          }),
        /^Task taken already exists/,
      )
      await assertRefused(() => define(executor, 'slow', 0), /^Invalid timeout value/)
      for (const id of ['parent', 'middle', 'slow']) {
        await assertRefused(
          () => executor.enqueueTask({ id }, undefined),
          new RegExp(`^Task ${id} not found`),
        )
        define(executor, id)
      }
    },
  ),
]
