/** A language model behind http, as most of them are: it is given the talk so far, and answers with text or with calls of tools. */

import { type DurableStepContext } from 'durable-execution'

import { post } from '../show/post.ts'

/** A tool that the model wants to be used. */
export type ToolCall = { id: string; tool: string; input: Record<string, unknown> }

export type Message =
  | { role: 'system' | 'user'; text: string }
  | { role: 'assistant'; text: string; toolCalls: Array<ToolCall> }
  | { role: 'tool'; callId: string; text: string }

export type Answer = Extract<Message, { role: 'assistant' }>

export async function askModel(
  url: string,
  messages: ReadonlyArray<Message>,
  tools: ReadonlyArray<{ name: string; description: string }>,
  step: DurableStepContext,
): Promise<Answer> {
  return await post<Answer>(url, { messages, tools }, step)
}
