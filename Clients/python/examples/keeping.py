"""Keeping results: a kept object passes to the parent; another one is given away."""

import gcs

gcs.connect()

archive = gcs.start_batch(name="archive")
with gcs.batch(name="training") as b:
    scratch = [b.put(bytes(1000)) for _ in range(10)]
    model = b.put({"weights": [0.1, 0.2]})
    report = b.put("it went well")
    b.keep(model)  # passes to the parent when the batch ends: here to the root, for good
    gcs.transfer_ownership(report, archive)  # belongs to another batch from now on

print("model:", gcs.get(model))
print("report:", gcs.get(report))
print("objects of the archive:", gcs.batch_info(archive).objects)

gcs.end_batch(archive)
# The root never ends: what it owns is removed by hand, here by a batch that takes it and ends.
gcs.transfer_ownership(model, last := gcs.start_batch(name="last"))
gcs.end_batch(last)
