/** The world of the agent, over http: a shop with orders and customers, and a model that plays by a script. */

import { type Question, Refusal, type Service } from '../show/outside.ts'
import { type Answer, type Message, type ToolCall } from './model.ts'
import { type Ticket } from './tasks.ts'

type Order = { cents: number; parcel: 'lost' | 'delivered' | 'on its way' }

const ORDERS: Record<string, Order> = {
  'A-1': { cents: 4_900, parcel: 'lost' },
  'A-2': { cents: 190_000, parcel: 'lost' },
  'A-3': { cents: 12_000, parcel: 'on its way' },
}

export function createServices(): Record<string, Service> {
  return {
    model: ({ body }: Question<{ messages: Array<Message> }>) => answerOf(body.messages),
    look_up_order: ({ body }: Question<{ order: string }>) => {
      const order = ORDERS[body.order]
      if (order === undefined) {
        throw new Refusal(404, `There is no order ${body.order}`)
      }
      return order
    },
    look_up_customer: ({ body }: Question<{ customer: string }>) => ({
      mail: `${body.customer}@example.com`,
    }),
    refund: ({ body }: Question<{ cents: number }>) => ({ refunded: body.cents }),
    reply: () => 'sent',
  }
}

/** In place of a model: what it says follows from the talk so far, and from nothing else. */
function answerOf(messages: ReadonlyArray<Message>): Answer {
  const ticket = JSON.parse(
    messages[1] !== undefined && 'text' in messages[1] ? messages[1].text : '{}',
  ) as Ticket
  const turn = messages.filter(({ role }) => role === 'assistant').length + 1
  const heard = messages.flatMap((message) => (message.role === 'tool' ? [message.text] : []))
  const use = (...calls: Array<Omit<ToolCall, 'id'>>): Answer => ({
    role: 'assistant',
    text: '',
    toolCalls: calls.map((call, index) => ({ id: `${ticket.id}-${turn}-${index + 1}`, ...call })),
  })
  const reply = (text: string): Answer => use({ tool: 'reply', input: { customer: ticket.customer, text } })
  const about = { order: ticket.order, customer: ticket.customer }
  const order = turn > 1 ? (JSON.parse(heard[0] ?? '{}') as Partial<Order>) : {}
  switch (turn) {
    case 1:
      return use({ tool: 'look_up_order', input: about }, { tool: 'look_up_customer', input: about })
    case 2:
      return order.parcel === 'lost'
        ? use({ tool: 'refund', input: { order: ticket.order, cents: order.cents } })
        : reply(`Your parcel is ${order.parcel}`)
    case 3:
      return order.parcel === 'lost'
        ? reply(heard[2]?.includes('refunded') ? 'You get your money back' : 'Somebody will call you')
        : { role: 'assistant', text: `${ticket.id} is answered`, toolCalls: [] }
    default:
      return { role: 'assistant', text: `${ticket.id} is answered`, toolCalls: [] }
  }
}
