/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* DNS answers as bytes: RFC 1035 §4, RFC 2782, RFC 4035 §3.2.3. */
#include "unit.h"

#include <errno.h>

#include "net/dns.h"

/* _x.a. SRV: priority 1 weight 2 port 5269 target b. */
static const char answer[] = "\x12\x34\x81\xa0\0\1\0\1\0\0\0\0\2_x\1a\0\0\x21\0\1"
			     "\xc0\x0c\0\x21\0\1\0\0\x01\x2c\0\x09\0\1\0\2\x14\x95\1b\0";
#define ANSWER ((struct str){ answer, sizeof(answer) - 1 })

TEST(reads_a_record_and_who_validated_it)
{
	struct dns_answer a;
	struct dns_srv srv;

	assert_int_equal(dns_read(ANSWER, DNS_SRV, &a), 0);
	assert_true(a.validated);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.v[0].ttl_s, 300);
	assert_int_equal(dns_srv(&a, 0, &srv), 0);
	assert_int_equal(srv.priority, 1);
	assert_int_equal(srv.weight, 2);
	assert_int_equal(srv.port, 5269);
	assert_string_equal(srv.host, "b");
	assert_int_equal(dns_read(ANSWER, DNS_A, &a), -ENOENT);
}

TEST(refuses_every_truncation)
{
	struct dns_answer a;

	for (size_t n = 0; n < sizeof(answer) - 1; n++)
		assert_true(dns_read((struct str){ answer, n }, DNS_SRV, &a) < 0);
}

TEST(tells_absence_from_failure)
{
	struct dns_answer a;
	char bytes[sizeof(answer)];

	memcpy(bytes, answer, sizeof(answer));
	bytes[3] = (char)0x83;
	assert_int_equal(dns_read((struct str){ bytes, sizeof(answer) - 1 }, DNS_SRV, &a), -ENOENT);
	bytes[3] = (char)0x82;
	assert_int_equal(dns_read((struct str){ bytes, sizeof(answer) - 1 }, DNS_SRV, &a), -EAGAIN);
	bytes[2] = 1; /* a question */
	assert_int_equal(dns_read((struct str){ bytes, sizeof(answer) - 1 }, DNS_SRV, &a), -EBADMSG);
}

TEST(names_that_point_in_circles_are_refused)
{
	struct dns_answer a;
	struct dns_srv srv;
	char bytes[sizeof(answer) + 8];
	size_t target = sizeof(answer) - 1 - 3;

	memcpy(bytes, answer, sizeof(answer));
	bytes[target] = (char)0xc0;
	bytes[target + 1] = (char)target;
	assert_int_equal(dns_read((struct str){ bytes, sizeof(answer) - 1 }, DNS_SRV, &a), 0);
	assert_int_equal(dns_srv(&a, 0, &srv), -EBADMSG);
}

TEST(orders_by_priority_then_by_weight)
{
	int first[2] = { 0 };

	for (uint32_t r = 0; r < 1000; r++) {
		struct dns_srv v[] = { { .priority = 9, .port = 9 }, { .priority = 1, .weight = 90, .port = 0 }, { .priority = 1, .weight = 10, .port = 1 } };
		void *tags[] = { &v[0], &v[1], &v[2] };
		const uint32_t random[] = { r, 0, 0 };

		dns_srv_order(v, tags, 3, random);
		assert_int_equal(v[2].port, 9);
		first[v[0].port]++;
	}
	assert_in_range(first[0], 850, 950);
	assert_in_range(first[1], 50, 150);
}

TEST(domains_become_ascii)
{
	char out[DNS_NAME_MAX];

	assert_int_equal(dns_ascii("example.org", out), 0);
	assert_string_equal(out, "example.org");
	assert_int_equal(dns_ascii("m\xc3\xbcnchen.example", out), 0);
	assert_string_equal(out, "xn--mnchen-3ya.example");
	assert_int_equal(dns_ascii("", out), -EINVAL);
	assert_int_equal(dns_ascii("\xff", out), -EINVAL);
}

UNIT_MAIN(cmocka_unit_test(reads_a_record_and_who_validated_it), cmocka_unit_test(refuses_every_truncation),
	cmocka_unit_test(tells_absence_from_failure), cmocka_unit_test(names_that_point_in_circles_are_refused),
	cmocka_unit_test(orders_by_priority_then_by_weight), cmocka_unit_test(domains_become_ascii));
