/** The contract of storages behind a transaction-mode pooler: the cases that need two connections. */

import { beforeAll, describe, it } from 'vitest'

import { storageConformanceCases } from '../../src/testing/conformance/storage-conformance.ts'
import { postgresPlace } from '../postgres/places.ts'
import { pooledDatabase } from './places.ts'

let pooled: string

beforeAll(async () => {
  ;({ pooled } = await pooledDatabase())
}, 120_000)

const create = postgresPlace(() => ({ connectionString: pooled }))
const cases = storageConformanceCases().filter(({ needs = [] }) => needs.includes('two_connections'))

describe('behind a pooler a storage keeps the contract between two connections', () => {
  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_name, { run }) => {
    const place = await create()
    try {
      await run({ open: place.open })
    } finally {
      await place.cleanup()
    }
  })
})
