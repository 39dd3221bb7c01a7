/** Durable code over every storage. */

import { runThemeEverywhere } from './run-themes.ts'

runThemeEverywhere('durable code')
