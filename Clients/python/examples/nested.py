"""Nested batches: what an inner one keeps passes to the outer one, and goes with that."""

import gcs

gcs.connect()

with gcs.batch(name="job") as job:
    total = 0
    for step in range(3):
        with gcs.batch(name=f"step {step}") as b:
            inputs = [b.put(step * 10 + number) for number in range(5)]
            result = b.put(sum(gcs.get(ref) for ref in inputs))
            b.keep(result)
        # The inputs are gone; the result belongs to the job now.
        total += gcs.get(result)
        print(f"step {step}: {gcs.get(result)}, objects of the job: {job.info().objects}")
    print("total:", total)
# Nothing is left.
