/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Clocks, and XEP-0082 DateTime read and written by hand: no locale, no zone of the host. */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

#include "base/must.h"

enum { DAY_MS = 86400000, YEAR_MAX = 9999 };

static uint64_t now(clockid_t id, uint64_t per_second)
{
	struct timespec t;

	must(clock_gettime(id, &t) == 0);
	return (uint64_t)t.tv_sec * per_second + (uint64_t)t.tv_nsec / (1000000000 / per_second);
}

uint64_t clock_mono_ms(void)
{
	return now(CLOCK_MONOTONIC, 1000);
}

uint64_t clock_mono_us(void)
{
	return now(CLOCK_MONOTONIC, 1000000);
}

uint64_t clock_wall_ms(void)
{
	return now(CLOCK_REALTIME, 1000);
}

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar; years begin in March, so that the leap day is last. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The inverse for days >= 0. */
static void date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = z / 146097, of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = (int)(y + era * 400 + (*month <= 2));
}

static char *put_number(char *p, unsigned value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + digits;
}

struct str time_format(struct arena *a, uint64_t wall_ms)
{
	char *start = arena_alloc(a, sizeof("9999-12-31T23:59:59.999Z")), *p = start;
	uint64_t last = (uint64_t)days_of(YEAR_MAX + 1, 1, 1) * DAY_MS - 1;
	unsigned ms;
	int year, month, day;

	if (wall_ms > last)
		wall_ms = last;
	date_of((int64_t)(wall_ms / DAY_MS), &year, &month, &day);
	ms = (unsigned)(wall_ms % DAY_MS);
	p = put_number(p, (unsigned)year, 4);
	*p++ = '-';
	p = put_number(p, (unsigned)month, 2);
	*p++ = '-';
	p = put_number(p, (unsigned)day, 2);
	*p++ = 'T';
	p = put_number(p, ms / 3600000, 2);
	*p++ = ':';
	p = put_number(p, ms / 60000 % 60, 2);
	*p++ = ':';
	p = put_number(p, ms / 1000 % 60, 2);
	*p++ = '.';
	p = put_number(p, ms % 1000, 3);
	*p++ = 'Z';
	*p = 0;
	return (struct str){ start, (size_t)(p - start) };
}

/* Takes exactly n digits from the front of s. Returns the number or -1. */
static int take_number(struct str *s, size_t n)
{
	int value = 0;

	if (s->n < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return -1;
		value = value * 10 + s->p[i] - '0';
	}
	s->p += n;
	s->n -= n;
	return value;
}

static bool take(struct str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool take_date(struct str *s, int64_t *out_days)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = take_number(s, 4), month, day, last;

	if (year < 0 || !take(s, '-') || (month = take_number(s, 2)) < 1 || month > 12 ||
		!take(s, '-') || (day = take_number(s, 2)) < 1)
		return false;
	last = lengths[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0))
		last = 29;
	*out_days = days_of(year, month, day);
	return day <= last;
}

/* hh:mm:ss with an optional fraction of any length, cut to milliseconds. A leap second counts as the second after. */
static bool take_time(struct str *s, int64_t *out_ms)
{
	int hour = take_number(s, 2), minute, second, fraction = 0, unit = 100;

	if (hour < 0 || hour > 23 || !take(s, ':') || (minute = take_number(s, 2)) < 0 || minute > 59 ||
		!take(s, ':') || (second = take_number(s, 2)) < 0 || second > 60)
		return false;
	if (take(s, '.')) {
		int digit = take_number(s, 1);

		if (digit < 0)
			return false;
		for (; digit >= 0; digit = take_number(s, 1), unit /= 10)
			fraction += digit * unit;
	}
	*out_ms = ((int64_t)hour * 60 + minute) * 60000 + (int64_t)second * 1000 + fraction;
	return true;
}

static bool take_zone(struct str *s, int64_t *out_ms)
{
	int sign, hour, minute;

	*out_ms = 0;
	if (take(s, 'Z'))
		return true;
	sign = take(s, '-') ? -1 : 1;
	if (sign > 0 && !take(s, '+'))
		return false;
	hour = take_number(s, 2);
	if (hour < 0 || hour > 23 || !take(s, ':') || (minute = take_number(s, 2)) < 0 || minute > 59)
		return false;
	*out_ms = sign * ((int64_t)hour * 60 + minute) * 60000;
	return true;
}

int time_parse(struct str s, uint64_t *out_wall_ms)
{
	int64_t days, ms, zone_ms, wall;

	if (!take_date(&s, &days) || !take(&s, 'T') || !take_time(&s, &ms) || !take_zone(&s, &zone_ms) || s.n)
		return -EBADMSG;
	wall = days * DAY_MS + ms - zone_ms;
	if (wall < 0)
		return -EBADMSG;
	*out_wall_ms = (uint64_t)wall;
	return 0;
}
