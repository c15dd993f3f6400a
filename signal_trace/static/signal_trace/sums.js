// @ts-check
// What calls add up to, those that a trace left out included: the same sums as in
// `signal_trace.aggregates`.

/**
 * The length of the union of intervals, each a [start, end].
 * @param {[number, number][]} intervals
 */
export function covered(intervals) {
    let total = 0;
    for (const [start, end] of united(intervals)) {
        total += end - start;
    }
    return total;
}

/**
 * The intervals without what overlaps, in their order.
 * @param {[number, number][]} intervals
 */
export function united(intervals) {
    const sorted = intervals.slice().sort((one, other) => one[0] - other[0]);
    /** @type {[number, number][]} */
    const apart = [];
    for (const [start, end] of sorted) {
        const last = apart[apart.length - 1];
        if (last && start <= last[1]) {
            last[1] = Math.max(last[1], end);
        } else if (end > start) {
            apart.push([start, end]);
        }
    }
    return apart;
}

/**
 * When a send or call ended; the trace's end where it never did.
 * @param {any} trace
 * @param {any} timed
 */
export function endOf(trace, timed) {
    return timed.duration_ns === null
        ? Math.max(trace.duration_ns, timed.start_ns)
        : timed.start_ns + timed.duration_ns;
}

/** @param {any} trace */
export function sumsByReceiver(trace) {
    return sumsOfCalls(trace, (call) => call.receiver);
}

/** @param {any} trace */
export function sumsByApp(trace) {
    return sumsOfCalls(trace, (call) => call.app);
}

/** @param {any} trace */
export function sumsBySignal(trace) {
    const sums = new Sums();
    for (const send of trace.sends) {
        const sum = sums.of(send.signal);
        addTime(sum, 1, send.duration_ns ?? 0, send.duration_ns ?? 0);
        for (const call of send.calls) {
            addCall(sum, call);
        }
    }
    for (const omitted of trace.omitted) {
        const sum = sums.of(omitted.signal);
        addTime(sum, omitted.count, omitted.total_ns, omitted.max_ns);
        for (const calls of omitted.calls) {
            addOmittedCalls(sum, calls);
        }
    }
    return sums.sorted("total_ns");
}

/**
 * @param {any} trace
 * @param {(call: any) => string} nameOf
 */
function sumsOfCalls(trace, nameOf) {
    const sums = new Sums();
    for (const send of trace.sends) {
        for (const call of send.calls) {
            const sum = sums.of(nameOf(call));
            addTime(sum, 1, call.duration_ns ?? 0, call.duration_ns ?? 0);
            addCall(sum, call);
        }
    }
    for (const omitted of trace.omitted) {
        for (const calls of omitted.calls) {
            const sum = sums.of(nameOf(calls));
            addTime(sum, calls.count, calls.total_ns, calls.max_ns);
            addOmittedCalls(sum, calls);
        }
    }
    return sums.sorted("self_ns");
}

class Sums {
    constructor() {
        this.byName = new Map();
    }

    /** @param {string} name */
    of(name) {
        let sum = this.byName.get(name);
        if (sum === undefined) {
            sum = { name, count: 0, total_ns: 0, self_ns: 0, max_ns: 0 };
            Object.assign(sum, { queries: 0, queries_ns: 0, failures: 0 });
            this.byName.set(name, sum);
        }
        return sum;
    }

    /** @param {string} weight */
    sorted(weight) {
        return [...this.byName.values()].sort(
            (one, other) =>
                other[weight] - one[weight] ||
                (one.name < other.name ? -1 : Number(one.name > other.name)),
        );
    }
}

function addTime(sum, count, totalNs, maxNs) {
    sum.count += count;
    sum.total_ns += totalNs;
    sum.max_ns = Math.max(sum.max_ns, maxNs);
}

function addCall(sum, call) {
    sum.self_ns += call.self_ns ?? 0;
    sum.queries += call.queries.count;
    sum.queries_ns += call.queries.duration_ns;
    sum.failures += Number(call.error !== null);
}

function addOmittedCalls(sum, calls) {
    sum.self_ns += calls.self_ns;
    sum.queries += calls.queries;
    sum.queries_ns += calls.queries_ns;
    sum.failures += calls.failures;
}

/**
 * The figures of the whole trace, and the calls that raised. One through which an
 * exception merely passed, on its way up from a send inside, is none of them.
 * @param {any} trace
 */
export function figuresOf(trace) {
    const origin = (error) =>
        JSON.stringify([error.type, error.message, error.frames.slice(-1)]);
    const passing = new Set();
    for (const send of trace.sends) {
        if (send.error && send.parent !== null) {
            passing.add(`${send.parent} ${origin(send.error)}`);
        }
    }
    /** @type {[number, number][]} */
    const intervals = [];
    const failed = [];
    let slowest = null;
    let calls = 0;
    for (const send of trace.sends) {
        for (const call of send.calls) {
            calls += 1;
            intervals.push([call.start_ns, endOf(trace, call)]);
            if (call.error && !passing.has(`${call.id} ${origin(call.error)}`)) {
                failed.push(call);
            }
            if (call.self_ns !== null && call.self_ns > (slowest?.self_ns ?? -1)) {
                slowest = call;
            }
        }
    }
    let sends = trace.sends.length;
    let failures = failed.length;
    let receiversNs = covered(intervals);
    for (const omitted of trace.omitted) {
        sends += omitted.count;
        receiversNs += omitted.receivers_ns;
        for (const one of omitted.calls) {
            calls += one.count;
            failures += one.failures;
        }
    }
    const missed = trace.not_called.filter((one) => one.send !== null).length;
    const { count, nested_count, duration_ns, nested_ns } = trace.queries;
    return {
        sends,
        calls,
        failed,
        failures,
        missed,
        slowest,
        receiversNs,
        queries: count + nested_count,
        queriesNs: duration_ns + nested_ns,
    };
}
