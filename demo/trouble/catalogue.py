"""What can go wrong with signals: one entry, and one page, for each finding.

To add one, write a function that makes the trouble, and an entry here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import django

from . import again, early, failing, hops, slow, unheard


@dataclass(frozen=True)
class Trouble:
    """``finding`` is the id of what the panel finds, and ``also`` those of what else it
    finds of the same; ``form`` tells two apart that are found as the same. ``sentence``
    says what is wrong and who suffers, ``done`` what the page does, and ``panel`` what
    the panel then says.
    """

    finding: str
    title: str
    sentence: str
    done: str
    panel: str
    run: Callable[[], Awaitable[None] | None]
    form: str = ""
    also: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        return f"{self.finding}-{self.form}" if self.form else self.finding


TROUBLES: tuple[Trouble, ...] = (
    Trouble(
        "slow-receiver",
        "A slow receiver",
        "One receiver waits for somebody else's server, and every customer waits too.",
        "Sold some tea; a receiver asked the tax office, which took 150 ms.",
        "names ask_tax_office, its time, and its share of the whole request.",
        slow.sell_tea,
    ),
    Trouble(
        "repeated-call",
        "One receiver, many times",
        "A loop saves row after row, and a receiver works for each of them: the page"
        " gets slower with every row that is added.",
        f"Saved {slow.LEAVES} leaves in a loop; a receiver weighed them all each time.",
        f"says that one line made weigh_harvest run {slow.LEAVES} times, with as many"
        " queries, and that these are one statement.",
        slow.pick_leaves,
        also=("repeated-query",),
    ),
    Trouble(
        "repeated-query",
        "The same query, over and over",
        "A receiver asks the database for each row what it could ask once, and the"
        " page with most rows suffers most.",
        f"Opened a crate of {slow.PACKETS} packets; a receiver labelled each, and read"
        " the crate anew for it.",
        f"shows the query that print_labels made {slow.PACKETS} times.",
        slow.open_crate,
    ),
    Trouble(
        "ran-twice",
        "It ran twice: two sends",
        "Two lines tell of the same cup, the receiver runs for both, and the guest gets"
        " everything twice.",
        "Poured one cup; the line that pours it calls it ready, and so does the next.",
        "names call_waiter and the two lines that made it run for the same cup.",
        again.pour_cup,
        form="by-two-sends",
    ),
    Trouble(
        "ran-twice",
        "It ran twice: two connections",
        "Two modules connect the same function under two names, so that one ring brings"
        " two pots of tea.",
        "Rang the bell once; bring_tea is connected with two dispatch_uids.",
        "names bring_tea and its two connections.",
        again.ring_bell,
        form="by-two-connections",
    ),
    Trouble(
        "cycle",
        "A receiver that sets itself off",
        "It saves the row whose saving it heard of: one careless change of its"
        " condition, and no request ever ends.",
        "Saved one pot; a receiver tops it up and saves it again, up to the brim.",
        "shows the circle: post_save of the same pot, inside its own receiver.",
        again.fill_pot,
    ),
    Trouble(
        "deep-nesting",
        "Signals in signals in signals",
        "Each receiver sets the next one off, and whoever has to find out why the last"
        " one ran follows them all.",
        f"Knocked over the first of {again.DOMINOES} dominoes.",
        f"says that sends are nested {again.DOMINOES} deep, and shows the way down.",
        again.knock_over_first,
    ),
    Trouble(
        "swallowed-exception",
        "A failure that nobody sees",
        "send_robust goes on when a receiver raises: all looks well, and the guest"
        " waits for a receipt that was never printed.",
        "Paid a bill with send_robust; the receiver that prints the receipt raised.",
        "shows what print_receipt raised.",
        failing.pay_bill,
    ),
    Trouble(
        "never-ran",
        "Receivers that never ran",
        "The first receiver raises, so the others aren't called: the shelves stay"
        " empty, and the supplier waits for the money.",
        "Took a delivery; check_goods raised, and the page went on without the rest.",
        "names fill_shelves and pay_supplier, and who kept them from running.",
        failing.take_delivery,
    ),
    Trouble(
        "rolled-back",
        "Done, and then undone",
        "A receiver acts on a row that is rolled back later: the guest is told of a"
        " table that nobody has booked.",
        "Booked a table in a transaction, which was then rolled back.",
        "says that confirm_booking ran in a transaction that didn't hold.",
        failing.book_table,
    ),
    Trouble(
        "work-before-commit",
        "Mail before the commit",
        "The mail is out before the transaction is committed. Should that fail, the"
        " guest has a voucher that doesn't exist.",
        "Sold a voucher in a transaction; a receiver sent the mail at once.",
        "says that mail_voucher sent mail in an open transaction, and what to do.",
        early.sell_voucher,
        form="mail",
    ),
    Trouble(
        "sync-receiver-in-asend",
        "Synchronous receivers of asend",
        "An async send hands them to a thread and waits: under load, everybody queues"
        " for that thread.",
        "Laid a table with asend; the receiver is synchronous.",
        "names fold_napkins, and says that it was run in a thread.",
        hops.lay_table,
    ),
    Trouble(
        "async-receiver-in-send",
        "Async receivers of send",
        "A synchronous send has to start an event loop for them, each time, and whoever"
        " sends waits for it.",
        "Closed the shop with send; the receiver is asynchronous.",
        "names turn_off_lights, and says that an event loop was made for it.",
        hops.close_shop,
    ),
    Trouble(
        "fixture-loading",
        "Fixtures that set receivers off",
        "A receiver writes while a fixture is loaded, which brings its own rows: tests"
        " and new colleagues' databases get some twice.",
        "Loaded a fixture with two recipes; a receiver noted a change of each.",
        "says that note_change wrote while a fixture was loaded.",
        unheard.load_recipes,
    ),
    Trouble(
        "bulk-write",
        "A write that nobody hears of",
        "update() and bulk_create() send no signals: the prices change, and the tags on"
        " the shelves don't.",
        "Raised all prices with update(), after bulk_create() had made them.",
        "names the two lines, and print_price_tag, which wasn't called.",
        unheard.raise_prices,
    ),
    Trouble(
        "near-miss",
        "Connected for the parent: a proxy",
        "The receiver listens to a model and its proxy is saved: nobody tastes the"
        " green tea, and nobody knows why.",
        "Saved a GreenTea; the receiver is connected for Tea, whose proxy it is.",
        "says that taste_tea listens to Tea, and that GreenTea sent.",
        unheard.buy_green_tea,
        form="of-a-proxy",
    ),
    Trouble(
        "near-miss",
        "Connected for the parent: a child",
        "The receiver listens to a model and its child is saved: the teapots gather"
        " dust.",
        "Saved a Teapot; the receiver is connected for Ware, whose child it is.",
        "says that dust_ware listens to Ware, and that Teapot sent.",
        unheard.buy_teapot,
        form="of-a-child",
    ),
)

if django.VERSION >= (6, 0):
    from . import early_task

    TROUBLES += (
        Trouble(
            "work-before-commit",
            "A task before the commit",
            "The task is queued before the transaction is committed: a worker that is"
            " quick finds no voucher to print.",
            "Ordered a voucher in a transaction; a receiver enqueued its task at once.",
            "says that queue_voucher enqueued it in an open transaction.",
            early_task.order_voucher,
            form="task",
        ),
    )
