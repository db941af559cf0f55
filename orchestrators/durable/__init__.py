"""How our orchestrators use Durable Functions: context, edge, waiting, sliding window.

Rules that Durable 1.x imposes on orchestrators (tests/test_app.py and the replay tests check them):

- An orchestrator is replayed from its history. It has no clock, randomness, environment, I/O or log
  of its own; time is `context.current_utc_datetime`.
- The extension executes an orchestrator's actions one after the other and waits for each. A
  `task_any` counts as one action, which holds only those of its tasks that were not scheduled
  before. When an earlier task wins such a race, the extension still waits for the new ones, and
  schedules nothing meanwhile. So every wait for several tasks goes through `first_of`, whose timer
  ends the extension's wait when it is cancelled.
- A call with Durable's own retries is awaited alone (`call`). Beside other tasks, the timers of its
  retries could get other ids in a replay, because a cancelled timer lets the extension run ahead of
  history.
- The SDK hands an event that arrives before anyone waits for it to every later wait for its name.
  early_events.py makes it forget.
- A replay reads the whole history, so an execution schedules at most a few hundred activities and
  then continues as new with a model of what the next execution has to know.
- Inputs and outputs are models of `shared/runs/contracts.py`, read and written in edge.py.
"""
