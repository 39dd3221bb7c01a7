/** A request that somebody has to approve: it waits for days, reminds twice, and then goes to the director. */

import {
  DurableExecutionTimedOutError,
  type DurableExecutor,
  type DurableStepOptions,
  type DurableTask,
  type DurableTaskRunContext,
} from 'durable-execution'

import { post } from '../show/post.ts'

export type Request = { id: string; what: string; cents: number }
export type Decision = { isApproved: boolean; by: string }

/** What can be seen from outside while it waits, and after. */
export type RequestState =
  | { stage: 'waiting for the lead'; reminders: number }
  | { stage: 'waiting for the director' }
  | { stage: 'decided'; isApproved: boolean; by: string }

export type ApprovalInput = {
  request: Request
  /** How long a day takes: 86,400,000 ms, but in a hurry. */
  dayMs: number
}

const REMINDERS = 2
const DAYS_TO_ANSWER = 3

const TRIES: DurableStepOptions = {
  retryOptions: { maxAttempts: 8, baseDelayMs: 20, delayMultiplier: 2 },
  timeoutMs: 10_000,
}

export function defineTasks(
  executor: DurableExecutor,
  services: string,
): DurableTask<ApprovalInput, Decision> {
  return executor.task({
    id: 'approve_request',
    // For each stretch between two waits: a wait of days takes no time of it, no slot and no memory.
    timeoutMs: 60_000,
    run: async (ctx, { request, dayMs }: ApprovalInput) => {
      const mail = async (name: string, to: string): Promise<void> => {
        await ctx.step(
          name,
          async (step) => await post(`${services}/mail`, { request: request.id, to, about: name }, step),
          TRIES,
        )
      }
      const show = async (state: RequestState): Promise<void> => await ctx.setState(state)

      await mail('please decide', 'lead')
      let decision: Decision | undefined
      for (let reminders = 0; decision === undefined && reminders <= REMINDERS; reminders += 1) {
        if (reminders > 0) {
          await mail(`reminder ${reminders}`, 'lead')
        }
        await show({ stage: 'waiting for the lead', reminders })
        decision = await decisionWithin(ctx, DAYS_TO_ANSWER * dayMs)
      }
      if (decision === undefined) {
        await mail('the lead does not answer', 'director')
        await show({ stage: 'waiting for the director' })
        // Without a limit: this one is answered, however long it takes.
        decision = await ctx.waitForSignal<Decision>('decision')
      }
      await mail(decision.isApproved ? 'approved' : 'refused', 'asker')
      await show({ stage: 'decided', ...decision })
      return decision
    },
  })
}

async function decisionWithin(ctx: DurableTaskRunContext, timeoutMs: number): Promise<Decision | undefined> {
  try {
    return await ctx.waitForSignal<Decision>('decision', { timeoutMs })
  } catch (error) {
    if (error instanceof DurableExecutionTimedOutError) {
      return undefined
    }
    throw error
  }
}
