/** An agent: a model is asked, the tools that it wants are used, and so on until it wants none. */

import {
  DurableExecutionError,
  type DurableExecutor,
  type DurableStepOptions,
  type DurableTask,
  type DurableTaskRunContext,
} from 'durable-execution'

import { askModel, type Message, type ToolCall } from './model.ts'
import { createTools, type Tool } from './tools.ts'

export type Ticket = { id: string; customer: string; order: string; text: string }

/** What the human in charge is shown, and answers by the signal `approval ${call.id}`. */
export type AgentState = { turn: number; toApprove: Array<ToolCall> }
export type Approval = { isApproved: boolean; by: string }

const MOST_TURNS = 10

const SYSTEM =
  'You help the customers of a furniture shop. Look things up before you decide. Answer the customer once.'

const TRIES: DurableStepOptions = {
  retryOptions: { maxAttempts: 8, baseDelayMs: 20, delayMultiplier: 2 },
  timeoutMs: 30_000,
}

export function defineTasks(executor: DurableExecutor, services: string): DurableTask<Ticket, string> {
  const tools = createTools(services)
  return executor.task({
    id: 'answer_ticket',
    // Of each stretch between two waits; a human may take as long as humans do.
    timeoutMs: 10 * 60_000,
    run: async (ctx, ticket: Ticket) => {
      // Nobody has to keep the talk: when the function runs again, it is put together again from what the steps gave.
      const messages: Array<Message> = [
        { role: 'system', text: SYSTEM },
        { role: 'user', text: JSON.stringify(ticket) },
      ]
      for (let turn = 1; turn <= MOST_TURNS; turn += 1) {
        const answer = await ctx.step(
          'ask the model',
          async (step) => await askModel(`${services}/model`, messages, tools, step),
          TRIES,
        )
        messages.push(answer)
        if (answer.toolCalls.length === 0) {
          return answer.text
        }
        const toApprove = answer.toolCalls.filter((call) => toolOf(tools, call)?.isDangerous === true)
        await ctx.setState({ turn, toApprove } satisfies AgentState)
        messages.push(
          ...(await Promise.all(
            answer.toolCalls.map(async (call) => await useTool(ctx, call, toolOf(tools, call))),
          )),
        )
      }
      throw new DurableExecutionError(`The model has not come to an end in ${MOST_TURNS} turns`, false)
    },
  })
}

function toolOf(tools: ReadonlyArray<Tool>, call: ToolCall): Tool | undefined {
  return tools.find(({ name }) => name === call.tool)
}

/** Uses a tool; what goes wrong is told to the model, which may know another way. */
async function useTool(ctx: DurableTaskRunContext, call: ToolCall, tool: Tool | undefined): Promise<Message> {
  const said = (text: string): Message => ({ role: 'tool', callId: call.id, text })
  if (tool === undefined) {
    return said(`There is no tool ${call.tool}`)
  }
  if (tool.isDangerous) {
    // Days, if need be: meanwhile the execution holds no slot and no memory.
    const { isApproved, by } = await ctx.waitForSignal<Approval>(`approval ${call.id}`)
    if (!isApproved) {
      return said(`${by} does not allow it`)
    }
  }
  try {
    const result = await ctx.step(
      `${call.tool} ${call.id}`,
      async (step) => await tool.use(call.input, step),
      TRIES,
    )
    return said(JSON.stringify(result))
  } catch (error) {
    return said(`It failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}
