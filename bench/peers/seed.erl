%% SPDX-License-Identifier: AGPL-3.0-or-later
%% Run inside ejabberd: makes accounts PREFIX0 ... PREFIX<N-1>, all with the password "pw", and
%% then the file DIR/seeded. ejabberd makes the first; the others are copies of its SCRAM record.
Name = fun(I) -> iolist_to_binary(["@PREFIX@", integer_to_list(I)]) end,
Host = <<"@DOMAIN@">>,
Up = fun Retry(0) -> exit(not_up);
	 Retry(Left) ->
		case catch ejabberd_auth:try_register(Name(0), Host, <<"pw">>) of
			ok -> ok;
			{error, exists} -> ok;
			_ -> timer:sleep(50), Retry(Left - 1)
		end
	 end,
Up(600),
[First] = mnesia:dirty_read(passwd, {Name(0), Host}),
lists:foreach(fun(I) -> ok = mnesia:dirty_write(setelement(2, First, {Name(I), Host})) end,
	lists:seq(1, @COUNT@ - 1)),
file:write_file("@DIR@/seeded", <<>>).
