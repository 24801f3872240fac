"""The object store of this machine, without pyarrow: ours, or Apache Arrow's Plasma.

    from gcs import plasma

    client = plasma.connect("/tmp/plasma")
    object_id = client.put({"numbers": [1, 2, 3]})
    client.get(object_id)

The names are those of pyarrow's module of this name. Values are pickled: read only from a store
whose other users you trust, since who writes a pickle decides what its reader runs.
"""

from __future__ import annotations

from ..errors import (
    PlasmaClosed, PlasmaConnectionLost, PlasmaObjectAlreadySealed, PlasmaObjectExists,
    PlasmaObjectInUse, PlasmaObjectNotFound, PlasmaObjectNotSealed, PlasmaProtocolError,
    PlasmaStoreFull)
from .client import ObjectNotAvailable, PlasmaClient, connect
from .ids import ObjectID
from .messages import Deletion, Notification, ObjectInfo
from .subscription import Subscription

__all__ = [
    "Deletion", "Notification", "ObjectID", "ObjectInfo", "ObjectNotAvailable", "PlasmaClient",
    "PlasmaClosed", "PlasmaConnectionLost", "PlasmaObjectAlreadySealed", "PlasmaObjectExists",
    "PlasmaObjectInUse", "PlasmaObjectNotFound", "PlasmaObjectNotSealed", "PlasmaProtocolError",
    "PlasmaStoreFull", "Subscription", "connect",
]
