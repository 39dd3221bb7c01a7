/** Tasks, inputs, attempts, limits and sequences over every storage. */

import { runThemeEverywhere } from './run-themes.ts'

runThemeEverywhere('tasks and attempts')
