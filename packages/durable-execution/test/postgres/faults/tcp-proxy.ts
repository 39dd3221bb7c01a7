/** A line between clients and a server of Postgres that can be cut, slow or dead, at the moment a test names. */

import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import { createFramer, type Frame, statementOf, transactionState } from './frames.ts'

/**
 * What happens to one transaction. `lost_request`: the connection is cut before the server sees the commit,
 * or the one statement. `lost_reply`: it is cut when the server has committed, and before the client hears of
 * it. `silence`: the request vanishes, and the connection is as good as before, as far as anybody can see.
 */
export type WireFault = 'lost_request' | 'lost_reply' | 'silence'

/** What the whole line does: it passes on, it refuses connections, or nothing comes through it. */
type WireMode = 'passes' | 'refuses' | 'silent'

export type Wire = {
  /** Where clients find it, on 127.0.0.1. */
  readonly port: number
  /** Strikes the transaction under way on the connection that comes from that port when it is about to end. */
  strike: (clientPort: number, fault: WireFault) => void
  /** The faults that have struck so far. */
  struck: () => ReadonlyArray<WireFault>
  /** How the line behaves from now on. Connections there are cut when it begins to refuse. */
  become: (mode: WireMode) => void
  /** How long each message of the server takes, in milliseconds. */
  slowDown: (delayMs: number) => void
  /** Cuts all connections, at once. */
  cutAll: () => void
  connections: () => number
  close: () => Promise<void>
}

type Line = {
  mode: WireMode
  delayMs: number
  struck: Array<WireFault>
  links: Map<number, Link>
}

type Link = { arm: (fault: WireFault) => void; cut: () => void; deliver: () => void }

/** Opens a line to the server on that port of 127.0.0.1. */
export async function openWire(serverPort: number): Promise<Wire> {
  const line: Line = { mode: 'passes', delayMs: 0, struck: [], links: new Map() }
  // A message that waits for the one before to be acknowledged is 40 ms late.
  const door = createServer({ noDelay: true }, (client) => {
    const clientPort = client.remotePort ?? 0
    if (line.mode === 'refuses') {
      client.resetAndDestroy()
      return
    }
    line.links.set(
      clientPort,
      join(line, client, connect({ port: serverPort, host: '127.0.0.1', noDelay: true })),
    )
    client.once('close', () => line.links.delete(clientPort))
  })
  await new Promise<void>((resolve) => {
    door.listen(0, '127.0.0.1', resolve)
  })
  const address = door.address()
  const forAll = (deed: (link: Link) => void): void => [...line.links.values()].forEach(deed)
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    strike: (clientPort, fault) => {
      const link = line.links.get(clientPort)
      if (link === undefined) {
        throw new Error(`No connection comes from the port ${clientPort}`)
      }
      link.arm(fault)
    },
    struck: () => line.struck,
    become: (mode) => {
      line.mode = mode
      if (mode === 'refuses') {
        forAll((link) => link.cut())
      } else if (mode === 'passes') {
        forAll((link) => link.deliver())
      }
    },
    slowDown: (delayMs) => {
      line.delayMs = delayMs
    },
    cutAll: () => forAll((link) => link.cut()),
    connections: () => line.links.size,
    close: async () => {
      forAll((link) => link.cut())
      await new Promise((resolve) => {
        door.close(resolve)
      })
    },
  }
}

/** Passes on what both sides say, message by message, until the link is struck. */
function join(line: Line, client: Socket, server: Socket): Link {
  let armed: WireFault | undefined
  let state = ''
  let isDeaf = false
  const cut = (): void => {
    // One of the two ways in which a connection ends: here the other side is told that it was broken.
    client.resetAndDestroy()
    server.destroy()
  }
  const strike = (fault: WireFault): void => {
    armed = undefined
    line.struck.push(fault)
    if (fault === 'silence') {
      isDeaf = true
    } else if (fault === 'lost_reply') {
      cut()
    } else {
      // The other way: an orderly end.
      client.destroy()
      server.destroy()
    }
  }
  const fromClient = onFrames(line, client, server, { startsUntyped: true }, (frame) => {
    if (armed !== undefined && armed !== 'lost_reply' && endsTransaction(frame, state)) {
      strike(armed)
    }
    return !isDeaf
  })
  const fromServer = onFrames(line, server, client, { startsUntyped: false }, (frame) => {
    state = transactionState(frame) ?? state
    if (armed === 'lost_reply' && frame.kind === 'Z' && state === 'I') {
      strike(armed)
    }
    return true
  })
  return {
    arm: (fault) => {
      armed = fault
    },
    cut,
    deliver: () => {
      fromClient()
      fromServer()
    },
  }
}

/** Whether the client's message is the last that the server needs to keep what the transaction did. */
function endsTransaction(frame: Frame, state: string): boolean {
  const statement = statementOf(frame)
  return statement !== undefined && (state === 'I' ? !/^begin/i.test(statement) : /^commit/i.test(statement))
}

/** Hands over messages in order, those that `passes` lets through. Gives what sends those that a silent line kept. */
function onFrames(
  line: Line,
  from: Socket,
  to: Socket,
  options: { startsUntyped: boolean },
  passes: (frame: Frame) => boolean,
): () => void {
  const frame = createFramer(options)
  const kept: Array<Buffer> = []
  const isSlow = !options.startsUntyped
  let onTheWay = 0
  let last: Promise<unknown> = Promise.resolve()
  const write = (bytes: Buffer): void => {
    if (!to.destroyed) {
      to.write(bytes)
    }
  }
  const send = (bytes: Buffer): void => {
    if (!isSlow || (line.delayMs === 0 && onTheWay === 0)) {
      write(bytes)
      return
    }
    const { delayMs } = line
    onTheWay += 1
    last = last
      .then(() => pause(delayMs))
      .then(() => {
        onTheWay -= 1
        write(bytes)
      })
  }
  from.on('error', () => {})
  // What was said before the end still arrives: a server says why it ends a connection.
  from.on('close', () => to.destroySoon())
  from.on('data', (bytes) => {
    to.cork()
    for (const one of frame(bytes)) {
      if (!passes(one)) {
        continue
      }
      if (line.mode === 'silent') {
        kept.push(one.bytes)
      } else {
        send(one.bytes)
      }
    }
    to.uncork()
  })
  return () => kept.splice(0).forEach(send)
}
