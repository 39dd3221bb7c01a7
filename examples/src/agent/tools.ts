/** What the agent can do. What cannot be taken back is dangerous, and a human has to agree to it. */

import { type DurableStepContext } from 'durable-execution'

import { post } from '../show/post.ts'

export type Tool = {
  name: string
  description: string
  isDangerous: boolean
  use: (input: Record<string, unknown>, step: DurableStepContext) => Promise<unknown>
}

export function createTools(services: string): Array<Tool> {
  const tool = (name: string, isDangerous: boolean, description: string): Tool => ({
    name,
    description,
    isDangerous,
    use: async (input, step) => await post<unknown>(`${services}/${name}`, input, step),
  })
  return [
    tool('look_up_order', false, 'What is known of an order: { order }'),
    tool('look_up_customer', false, 'What is known of a customer: { customer }'),
    tool('refund', true, 'Gives money back: { order, cents }'),
    tool('reply', false, 'Answers the customer by mail: { customer, text }'),
  ]
}
