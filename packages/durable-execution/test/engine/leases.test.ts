/** Leases, recovery, shutdown, outages, hints and health over every storage. */

import { runThemeEverywhere } from './run-themes.ts'

runThemeEverywhere('leases')
