/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* For supervisors and monitoring: /healthz (the process answers), /readyz (it serves), /metrics (Prometheus 0.0.4). */
#include "base/metrics.h"
#include "http/exchange.h"

void health_live(struct exchange *x)
{
	exchange_reply(x, 200, NULL, "text/plain", STR("ok\n"));
}

void health_ready(struct exchange *x)
{
	bool ready = !x->http->cfg->is_ready || x->http->cfg->is_ready();

	exchange_reply(x, ready ? 200 : 503, NULL, "text/plain",
		ready ? STR("ready\n") : STR("not ready\n"));
}

/* Figures about people's use are not for everybody: programs on this machine only, unless the operator opens it. */
void health_metrics(struct exchange *x)
{
	struct str peer = conn_peer(x->conn);
	struct buf out = { 0 };

	if (!x->http->cfg->metrics_public && !str_starts(peer, STR("127.")) &&
		!str_is(peer, "::1") && !str_is(peer, "local")) {
		exchange_error(x, 403, "forbidden", "Metrics are for programs on this machine.");
		return;
	}
	metrics_write(&out);
	exchange_reply(x, 200, NULL, "text/plain; version=0.0.4; charset=utf-8", buf_view(&out));
	buf_free(&out);
}
