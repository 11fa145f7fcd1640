"use strict";
(async () => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const found = report.subgraphs, shown = found.filter((s) => s.is_shown), hidden = found.filter((s) => s.suppressed_by.length), next = found.filter((s) => !s.is_shown && !s.suppressed_by.length);
  const $ = (id) => document.getElementById(id);
  let selected = null;

  // Text alone: names come from alerts, and whoever attacks writes those.
  const make = (tag, text, name) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const fill = (id, nodes) => $(id).replaceChildren(...nodes);
  const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
  const time = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
  const day = (ms) => new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const hours = (s) => { const h = (s.last_seen - s.first_seen) / 3.6e6; return h < 1 ? `${Math.round(h * 60)} min` : `${h.toFixed(1)} h`; };
  const fixed = (x, digits) => (x === null ? "–" : x.toFixed(digits));
  // Whatever stands behind the page's address; a lone percent sign is no encoding.
  const asked = () => { try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; } };
  const words = (tactic) => tactic.replaceAll("-", " ");

  // --- figures: data sources are found by name, colours follow the page's theme
  const documents = () => Bokeh.documents;
  const source = (name) => { for (const doc of documents()) { const m = doc.get_model_by_name(name); if (m) return m; } return null; };
  const models = () => documents().flatMap((doc) => [...doc._all_models.values()]);
  const paint = () => {
    const css = getComputedStyle(document.documentElement), of = (name) => css.getPropertyValue(name).trim();
    const ink = of("--ink"), line = of("--line"), colour = { ink, accent: of("--accent"), outline: of("--outline") };
    for (const model of models()) {
      if (model.type === "GlyphRenderer" && model.name in colour) {
        const glyph = model.glyph;
        if (glyph.type === "Text") glyph.text_color = colour[model.name];
        else glyph.line_color = colour[model.name];
      }
      if (model.type === "NormalHead") model.fill_color = ink;
      if (model.type.endsWith("Axis")) {
        model.major_label_text_color = ink;
        model.axis_line_color = model.minor_tick_line_color = model.major_tick_line_color = line;
      }
      if (model.type === "Grid") model.grid_line_color = line;
    }
  };
  const isDark = () => document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const tellTheme = () => { $("theme").textContent = isDark() ? "Light" : "Dark"; $("theme").setAttribute("aria-pressed", String(isDark())); };
  $("theme").addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; tellTheme(); paint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { tellTheme(); paint(); });

  // --- the ranked list and the slider
  const button = (s) => {
    const item = make("li", undefined, s.is_shown ? "shown" : "next"), b = make("button");
    b.type = "button"; b.dataset.id = s.subgraph_id;
    b.append(make("span", String(s.rank), "rank"), make("span", s.title, "name"),
      make("span", `${s.is_shown ? "shown" : questions.has(s.subgraph_id) ? "question" : "not shown"} · score ${fixed(s.score, 2)} · ${count(s.n_alerts, "alert")} · ${hours(s)}`, "facts"));
    b.addEventListener("click", () => select(s.subgraph_id));
    item.append(b);
    return item;
  };
  const list = () => {
    const more = Number($("more").value), open = next.filter((s) => questions.has(s.subgraph_id));
    const rows = [...new Set([...shown, ...open, ...next.slice(0, more)])].sort((a, b) => a.rank - b.rank);
    fill("ranked", rows.map(button));
    const n = (column) => rows.reduce((sum, s) => sum + s[column], 0);
    $("more-said").textContent = `+${more}`;
    $("to-read").textContent = `${count(rows.length, "subgraph")}: ${count(n("n_episodes"), "episode")}, ${count(n("n_alerts"), "alert")}`;
    $("none").hidden = rows.length > 0;
    mark();
  };
  const mark = () => { for (const b of $("ranked").querySelectorAll("button")) b.setAttribute("aria-current", String(b.dataset.id === selected)); };
  $("more").max = String(next.length);
  $("more").disabled = next.length === 0;
  $("more").addEventListener("input", list);
  $("ranked").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...$("ranked").querySelectorAll("button")], to = all[all.indexOf(document.activeElement) + step];
    if (to) { to.focus(); event.preventDefault(); }
  });

  // --- what exceptions hide, and those to look at again
  const cells = (texts) => texts.map((text) => make("td", text === null || text === undefined ? "" : String(text)));
  const minute = (ms) => time(ms).slice(0, 16);
  const exceptions = () => {
    const lines = hidden.flatMap((s) => s.suppressed_by.map((one, i) => {
      const line = make("tr"), what = make("td"), b = make("button", s.title, "link");
      b.type = "button"; b.dataset.id = s.subgraph_id;
      b.addEventListener("click", () => { select(s.subgraph_id); $("subgraph").focus(); });
      if (i === 0) what.append(b);
      line.append(make("td", i === 0 ? String(s.rank) : "", "n"), what, ...cells([one.id, one.owner, one.reason, one.ticket, minute(one.until)]));
      return line;
    }));
    fill("hidden", lines);
    $("hidden-note").textContent = `${count(report.n_hidden, "subgraph")} hidden${report.n_hidden > hidden.length ? `, of which these are the first ${hidden.length} by rank` : ""}. Nothing is deleted: choose one to see it whole.`;
    $("hidden-part").hidden = !hidden.length;
    const end = Date.parse((report.run.window || {}).end), daysLeft = (one) => Math.max(0, Math.ceil((one.until - end) / 8.64e7));
    const why = (one) => [one.n_episodes ? "" : "it matches nothing in the window", daysLeft(one) <= 14 ? `it ends in ${count(daysLeft(one), "day")}` : ""].filter(Boolean).join("; ");
    fill("again", report.exceptions.map((one) => {
      const line = make("tr");
      line.append(...cells([one.id, one.names, one.owner, one.reason, one.ticket, minute(one.until), why(one)]));
      return line;
    }));
    $("again-part").hidden = !report.exceptions.length;
    $("exceptions").hidden = !hidden.length && !report.exceptions.length;
  };

  // --- one subgraph
  const shapes = { circle: "M8 2a6 6 0 1 0 .01 0Z", square: "M3 3h10v10H3Z", triangle: "M8 2 14 13H2Z", diamond: "M8 1 14 8 8 15 2 8Z", hex: "M4.5 2h7L15 8l-3.5 6h-7L1 8Z", circle_cross: "M8 2a6 6 0 1 0 .01 0Z" };
  const legend = () => fill("legend", Object.entries(report.zones).filter(([zone]) => zone !== "folded").map(([, z]) => {
    const item = make("li"), svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("width", "14"); svg.setAttribute("height", "14"); svg.setAttribute("viewBox", "0 0 16 16"); svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", shapes[z.marker]); path.setAttribute("fill", z.color);
    svg.append(path); item.append(svg, z.name);
    return item;
  }));
  const highlight = (s) => {
    const hosts = source("network_hosts").data, place = new Map(hosts.key.map((key, i) => [key, i])), at = (host) => place.get(`${s.site}\n${host}`);
    const lines = { x0: [], y0: [], x1: [], y1: [], cx: [], cy: [], width: [], alpha: [] }, way = new Set(s.path.slice(1).map((h, i) => `${s.path[i]}\n${h}`));
    for (const [a, b] of s.pairs) {
      const i = at(a), j = at(b);
      if (i === undefined || j === undefined || i === j) continue;
      const main = way.has(`${a}\n${b}`);
      lines.x0.push(hosts.x[i]); lines.y0.push(hosts.y[i]); lines.x1.push(hosts.x[j]); lines.y1.push(hosts.y[j]);
      lines.cx.push((hosts.x[i] + hosts.x[j]) / 2); lines.cy.push((hosts.y[i] + hosts.y[j]) / 2 + (Math.abs(hosts.y[i] - hosts.y[j]) < 0.5 ? 0.8 : 0));
      lines.width.push(main ? 3.5 : 1.5); lines.alpha.push(main ? 0.95 : 0.6);
    }
    const own = s.hosts.map(at).filter((i) => i !== undefined).sort((i, j) => hosts.y[j] - hosts.y[i] || hosts.x[i] - hosts.x[j]);
    const pick = (column) => own.map((i) => hosts[column][i]);
    // Names of neighbours in a row stand above and below in turn.
    const lift = own.map((i, k) => { let n = 0; while (k - n > 0 && hosts.y[own[k - n - 1]] === hosts.y[i]) n += 1; return n % 2 ? -16 : 16; });
    source("network_selected").data = lines;
    source("network_ring").data = { x: pick("x"), y: pick("y"), marker: pick("marker"), color: pick("color") };
    source("network_labels").data = { x: pick("x"), y: pick("y"), label: pick("label"), lift };
  };
  const figureOf = (model) => models().find((m) => m.type === "Figure" && m.renderers.some((r) => r.data_source === model));
  const graph = (s) => {
    for (const name of ["nodes", "edges", "steps"]) source(`graph_${name}`).data = s.graph[name];
    const y = s.graph.nodes.y, top = Math.max(0, ...y) + 0.35, bottom = Math.min(0, ...y) - 0.35, figure = figureOf(source("graph_nodes"));
    figure.y_range.start = bottom; figure.y_range.end = top;
    figure.height = Math.round(60 + 130 * (top - bottom));
    $("graph").setAttribute("aria-label", s.path.length ? `The path ${s.path.map((h) => h.slice(h.indexOf(":") + 1)).join(", then ")} and what lies beside it` : "Hosts and the alerts between them");
    $("graph-note").textContent = s.n_folded ? `${count(s.n_folded, "more host")} are folded into one node; all are in the table nodes.` : "";
  };
  const timeline = (s) => {
    const rows = s.evidence, n = rows.length, look = (row) => report.zones[row.zone], larger = { dmz: 1.25, external: 1.35 };
    const model = source("timeline"), figure = figureOf(model);
    figure.y_range.factors = [...s.tactic_order].reverse().map(words);
    figure.height = 70 + 30 * Math.max(2, s.tactic_order.length);
    const pad = Math.max(60000, (s.last_seen - s.first_seen) * 0.02);
    figure.x_range.start = s.first_seen - pad; figure.x_range.end = s.last_seen + pad;
    model.data = {
      started: rows.map((r) => r.started_at), ended: rows.map((r) => r.ended_at), tactic: rows.map((r) => words(r.tactic)), name: rows.map((r) => r.name),
      hosts: rows.map(pair), n_alerts: rows.map((r) => r.n_alerts), size: rows.map((r) => (larger[r.zone] || 1) * (10 + Math.min(14, 3 * Math.log2(r.n_alerts)))),
      zone: rows.map((r) => look(r).name), color: rows.map((r) => look(r).color), marker: rows.map((r) => look(r).marker),
    };
    $("timeline").setAttribute("aria-label", `${count(n, "episode")} from ${time(s.first_seen)} to ${time(s.last_seen)} over ${count(s.tactic_order.length, "tactic")}`);
  };
  const pair = (r) => (r.source && r.source !== r.target ? `${r.source} → ${r.target || "?"}` : r.target || r.source || "");
  const row = (r) => {
    const line = make("tr");
    const ids = make("details"), all = make("div");
    ids.append(make("summary", r.n_alerts > r.alert_ids.length ? `${r.alert_ids.length} of ${r.n_alerts.toLocaleString("en")}` : count(r.alert_ids.length, "id")), all);
    all.append(...r.alert_ids.map((id) => { const p = make("div"); p.append(make("code", id)); return p; }));
    const last = make("td"); last.append(ids);
    const lasts = r.ended_at - r.started_at >= 60000 ? ` until ${time(r.ended_at).slice(11, 16)}` : "";
    line.append(make("td", `${day(r.started_at)} ${time(r.started_at).slice(11, 16)}${lasts}`), make("td", r.name), make("td", pair(r)),
      make("td", r.accounts.join(", ") + (r.n_accounts > 3 ? ` and ${r.n_accounts - 3} more` : "")), make("td", r.n_alerts.toLocaleString("en"), "n"),
      make("td", fixed(r.severity, 2), "n"), make("td", r.tactics.map(words).join(", ")),
      make("td", r.seen ? `${r.seen} of ${r.hours} h` : "never"), last);
    return line;
  };
  const story = (s) => s.story.map((part) => {
    const item = make("li"), b = make("button", part.sentence), ids = new Set(part.alert_ids);
    b.type = "button"; b.setAttribute("aria-pressed", "false");
    b.append(" ", make("small", `[${count(ids.size, "id")}]`));
    b.title = "Show the alerts behind this sentence";
    b.addEventListener("click", () => {
      const on = b.getAttribute("aria-pressed") !== "true";
      for (const other of $("story").querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === b && on));
      let first = null;
      [...$("evidence").children].forEach((line, i) => {
        const told = on && s.evidence[i].alert_ids.some((id) => ids.has(id));
        line.classList.toggle("told", told);
        first ??= told ? line : null;
      });
      $("evidence-note").textContent = on ? `Marked: behind the sentence “${part.sentence}” Ids: ${part.alert_ids.join(", ")}` : note(s);
    });
    item.append(b);
    return item;
  });
  const note = (s) => (s.n_episodes > s.evidence.length ? `The ${s.evidence.length} rarest of ${s.n_episodes.toLocaleString("en")} episodes; all are in the table evidence.` : `${count(s.n_episodes, "episode")}, ${count(s.n_alerts, "alert")}.`);
  const contributions = (s) => {
    const most = Math.max(...s.contributions.map((c) => Math.abs(c.value)), 1e-9);
    return s.contributions.map((c) => {
      const item = make("li", undefined, c.value < 0 ? "minus" : ""), bar = make("span", undefined, "bar"), fill = make("i"), said = make("span");
      fill.style.width = `${(100 * Math.abs(c.value)) / most}%`;
      bar.append(fill);
      said.append(make("b", `${c.value < 0 ? "−" : "+"}${Math.abs(c.value).toFixed(2)} `, "value"), c.fact);
      item.append(bar, said);
      return item;
    });
  };
  const related = (other) => {
    const item = make("li"), is_here = found.some((one) => one.subgraph_id === other.subgraph_id);
    const name = make(is_here ? "a" : "span", other.subgraph_id);
    if (is_here) name.href = `#${other.subgraph_id}`;
    item.append(name, `: ${other.fact}.`);
    return item;
  };
  // The asset list is the operator's own; still a runbook is a link only where it is an address that a browser asks by https.
  const runbook = (text) => {
    let address = null;
    try { address = new URL(text); } catch { /* a text */ }
    if (!address || address.protocol !== "https:") return make("span", text);
    const link = make("a", text);
    link.href = address.href; link.rel = "noopener noreferrer"; link.target = "_blank";
    return link;
  };
  const owners = (s) => [
    ...s.owners.map((one) => {
      const item = make("li", `${one.entity}${one.owner ? `: ${one.owner}` : ""}`);
      if (one.runbook) item.append("; runbook: ", runbook(one.runbook));
      return item;
    }),
    ...s.tickets.map((ticket) => make("li", `Work was announced under ${ticket}.`)),
  ];
  const verdict = (one) => {
    const how = one.certainty < 1 ? ` (${Math.round(100 * one.certainty)} % of what was judged is this subgraph)` : "";
    const text = `${one.verdict.replace("_", " ")}${one.judged_by ? ` by ${one.judged_by}` : ""}, ${minute(one.judged_at)} UTC, ${one.source}${how}${one.reason ? `: ${one.reason}` : ""}`;
    return make("li", one.is_latest ? text : `${text}; this does not stand`);
  };
  const questions = new Map((report.run.questions || []).map((one) => [one.subgraph_id, one]));
  const learned = () => {
    const of = report.run.learned, tried = (of || {}).tried || {};
    $("learned").hidden = !of;
    if (!of) return;
    const loss = tried.n_later ? ` On the last ${tried.n_later.toLocaleString("en")} by time, told by what had been judged before, its log loss was ${fixed(tried.log_loss, 3)}; that of ${tried.before} ${fixed(tried.log_loss_before, 3)}.` : "";
    $("learned-note").textContent = `Model ${of.name}, of ${count(of.n_verdicts, "verdict")} until ${String(of.trained_until).slice(0, 16)} UTC.${loss} Only what was shown is judged: of the rest the table says nothing.`;
    const rows = [[tried.before, tried.reliability_before], ["this one", tried.reliability]].flatMap(([name, bins]) => (bins || []).map((one) => [name, one]));
    fill("reliability", rows.map(([name, one]) => {
      const tr = make("tr");
      tr.append(make("td", name), make("td", `${fixed(one.low, 2)} to ${fixed(one.high, 2)}`), make("td", one.n.toLocaleString("en"), "n"), make("td", fixed(one.told, 3), "n"), make("td", fixed(one.seen, 3), "n"));
      return tr;
    }));
  };
  const select = (id) => {
    const s = found.find((one) => one.subgraph_id === id);
    if (!s) return;
    selected = id;
    if (next.indexOf(s) >= Number($("more").value)) { $("more").value = String(next.indexOf(s) + 1); list(); }
    mark();
    $("subgraph").hidden = false;
    $("title").textContent = s.title;
    const question = questions.get(id);
    $("question").hidden = !question;
    $("question").textContent = question ? `A question: was this an attack? Its verdict would teach most of ${question.day}: ${count(question.n_like, "other")} of its site ${question.n_like === 1 ? "is" : "are"} like it, and nobody has judged any.` : "";
    const state = s.is_shown ? "shown" : s.suppressed_by.length ? `hidden by ${s.suppressed_by.map((one) => one.id).join(", ")}` : "not shown";
    const judged = s.verdicts.filter((one) => one.is_latest).map((one) => `judged ${one.verdict.replace("_", " ")}`);
    fill("chips", [`rank ${s.rank}`, state, ...judged, `score ${fixed(s.score, 3)}`, `P(attack) ${fixed(s.probability, 2)}`, `severity ${fixed(s.severity, 2)}`, `${time(s.first_seen).slice(0, 16)} to ${time(s.last_seen).slice(0, 16)} UTC`,
      count(s.n_alerts, "alert"), count(s.n_hosts, "host"), s.site_shown, s.subgraph_id].map((text) => make("span", text)));
    fill("story", s.story.length ? story(s) : [make("li", s.summary)]);
    fill("checks", s.checks.map((text) => make("li", text)));
    const owned = owners(s);
    $("owners-title").hidden = !owned.length;
    fill("owners", owned);
    $("verdicts-title").hidden = !s.verdicts.length;
    fill("verdicts", s.verdicts.map(verdict));
    $("ties-title").hidden = !s.ties.length;
    fill("ties", s.ties.map((text) => make("li", `${text}.`)));
    $("related-title").hidden = !s.related.length;
    fill("related", s.related.map(related));
    fill("unusual", s.unusual.map((text) => make("li", text)));
    fill("contributions", contributions(s));
    $("without").textContent = s.without && `${s.without[0].toUpperCase()}${s.without.slice(1)}.`;
    fill("evidence", s.evidence.map(row));
    $("evidence-note").textContent = note(s);
    $("export").textContent = `alertgraph export . --as attack-flow --subgraph ${s.subgraph_id}`;
    graph(s);
    timeline(s);
    highlight(s);
    history.replaceState(null, "", `#${id}`);
  };

  // --- begin
  const run = report.run, counts = run.counts || {}, window_ = run.window || {};
  const read = counts.rows_read === undefined ? "" : `${count(counts.rows_read, "row")} read, ${count(counts.subgraphs ?? found.length, "subgraph")}, ${shown.length} shown${report.n_hidden ? `, ${report.n_hidden.toLocaleString("en")} hidden by exceptions` : ""}. `;
  const ill = (run.health || {}).unhealthy || [];
  const sources = ill.length ? `${count(ill.length, "source")} not as usual: see the table health. ` : "";
  $("run").textContent = `Run ${run.run_id || "?"}, ${String(window_.start || "").slice(0, 16)} to ${String(window_.end || "").slice(0, 16)} UTC. ${read}${sources}`;
  $("foot").textContent = `alertgraph-spark ${(run.versions || {}).alertgraph_spark || ""}. This file asks no network for anything.`;
  const known = report.network.n_hosts;
  legend(); tellTheme();
  for (const name of ["network", "graph", "timeline"]) await Bokeh.embed.embed_item(report.figures[name], name);
  const nDrawn = source("network_hosts").data.key.length;
  $("network-note").textContent = `${nDrawn < known ? `${nDrawn} of ${count(known, "host")}, those of shown subgraphs first, then those with most alerts.` : `${count(known, "host")}.`} Choose a host to see its subgraph.`;
  const hosts = source("network_hosts");
  hosts.selected.change.connect(() => {
    const [i] = hosts.selected.indices;
    if (i === undefined) return;
    const [site, key] = hosts.data.key[i].split("\n"), s = found.find((one) => one.site === site && one.hosts.includes(key));
    if (s) select(s.subgraph_id);
    else $("network-note").textContent = `${hosts.data.label[i]} is in no subgraph of this page.`;
  });
  list(); exceptions(); learned();
  const wanted = asked();
  const first = found.find((s) => s.subgraph_id === wanted) || shown[0] || next[0] || hidden[0];
  if (first) select(first.subgraph_id);
  paint();
  addEventListener("hashchange", () => select(asked()));
  document.body.dataset.ready = "true";
})();
