/** Set up before the tests of the mutation score: generated cases are the same in every run. */

import * as fc from 'fast-check'

fc.configureGlobal({ seed: 20_261_129 })
