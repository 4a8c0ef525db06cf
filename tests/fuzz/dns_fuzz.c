/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* DNS answers: whatever comes, records lie inside the message and names are bounded. */
#include "base/must.h"
#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_SRV, DNS_TLSA };
	struct dns_answer a;
	struct dns_srv srv;

	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		if (dns_read((struct str){ (const char *)data, size }, types[t], &a))
			continue;
		must(a.n && a.n <= DNS_RECORDS_MAX);
		for (size_t i = 0; i < a.n; i++) {
			must(a.v[i].data >= data && a.v[i].data + a.v[i].n <= data + size);
			if (types[t] == DNS_SRV && dns_srv(&a, i, &srv) == 0)
				must(strlen(srv.host) < DNS_NAME_MAX);
		}
	}
	return 0;
}
