"""What happens in the shop, for whoever wants to know."""

from django.dispatch import Signal

# order: sent while the order's transaction is still open.
order_placed = Signal()

# order: sent once the paid order is committed.
order_paid = Signal()

# product: no more than `reorder_at` are left of it.
stock_low = Signal()

# restock
restock_ordered = Signal()

# parcel
parcel_booked = Signal()

# account, points: nobody in the shop listens (yet).
points_earned = Signal()
