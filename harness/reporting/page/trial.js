"use strict";
/** Lays out one trial. All words and decisions come with its data. */
window.renderTrial = ({ row, trial, detail, neighbours }, { make, quoted, standings, renderMarks, renderFacts }) => {
  const LONG = 4000; // characters: longer texts open on demand
  const outcome = standings[detail.outcome];

  const text = (value) => value.length > LONG
    ? make("details", {}, make("summary", {}, `Show ${value.length.toLocaleString("en")} characters`), make("pre", {}, value))
    : make("pre", {}, value);

  const renderPiece = (piece) => make("div", { class: `piece piece-${piece.kind}` },
    piece.label && make("p", { class: "label" }, piece.label), text(piece.text));

  function renderStep(step) {
    const head = make("header", {}, make("b", {}, quoted(step.kind === "tool" ? `Tool ${step.title}` : step.title)),
      step.whose && make("span", { class: "note" }, step.whose), renderFacts(step.facts));
    const body = step.notes ? [make("ul", { class: "notes" }, step.notes.map((note) => make("li", {}, quoted(note))))] : [];
    if (step.attempts) {
      body.push(make("details", {}, make("summary", {}, "Show the failed attempts"),
        make("ol", { class: "notes" }, step.attempts.map((attempt) => make("li", {}, quoted(attempt))))));
    }
    for (const doubt of [...(step.unsure ? [step.unsure] : []), ...(step.unread ?? []).map((what) => `not read: ${what}`)]) {
      body.push(make("p", { class: "unsure" }, quoted(`? ${doubt}`)));
    }
    if (step.kind === "system") {
      body.push(make("details", {}, make("summary", {}, "Show the system prompt"), make("pre", {}, step.text ?? "")));
    } else if (step.kind === "tool") {
      body.push(make("p", { class: "label" }, "arguments"), text(step.arguments ?? ""));
      if (step.result) body.push(make("p", { class: "label" }, "result"), text(step.result));
    } else if (step.pieces) body.push(step.pieces.map(renderPiece));
    else if (step.text) body.push(text(step.text));
    return make("article", { class: `step ${step.kind} depth${step.depth ?? 0}` }, head, body, step.problem && make("p", { class: "problem" }, `! ${step.problem}`));
  }
  const renderSteps = (steps) => make("div", { class: "steps" }, steps.map(renderStep));

  function renderSide(marked, differs, side) {
    if (!marked) return make("pre", { class: "none" });
    const [start, middle, end] = marked;
    if (!differs) return make("pre", { class: side === "now" ? "twin" : undefined }, start + middle + end);
    const sign = side === "now" ? "+" : "−";
    return make("pre", { class: side === "now" ? "new" : "old", "data-sign": sign },
      start, middle && make(side === "now" ? "ins" : "del", {}, middle), end);
  }
  function renderLines(lines) {
    return lines.flatMap((line) => {
      const skipped = line.skipped && make("p", { class: "skipped" }, `${line.skipped} equal line${line.skipped === 1 ? "" : "s"}`);
      if (!line.before && !line.now) return [skipped];
      const differs = JSON.stringify(line.before) !== JSON.stringify(line.now);
      const pair = make("div", { class: "pair" }, renderSide(line.before, differs, "before"), renderSide(line.now, differs, "now"));
      return skipped ? [skipped, pair] : [pair];
    });
  }
  const renderDiff = (left, right, ...children) => make("div", { class: "diff" },
    make("div", { class: "pair head" }, make("span", {}, `− ${left}`), make("span", {}, `+ ${right}`)), children);

  function renderRow({ kind, at = 0, count = 1, step, lines = [] }) {
    const now = (detail.steps ?? [])[at];
    if (kind === "same") {
      return make("details", { class: "row" }, make("summary", {}, `${count} equal step${count === 1 ? "" : "s"}`),
        renderSteps(detail.steps.slice(at, at + count)));
    }
    if (kind === "changed") {
      return [make("p", { class: "row" }, make("b", {}, quoted(now.kind === "tool" ? `Tool ${now.title}` : now.title))), renderLines(lines)];
    }
    const [words, one] = kind === "before" ? ["− Only in the baseline", step] : ["+ Only in this run", now];
    return make("div", { class: "row" }, make("b", {}, words), renderSteps([one]));
  }

  function renderScore(score) {
    const known = standings[score.status];
    return make("li", { class: known.tone },
      make("span", { class: "mark", "aria-hidden": "true" }, known.mark),
      make("p", { class: "name" }, make("b", {}, quoted(score.name)), make("span", { class: "badge" }, known.word),
        score.value && make("span", {}, score.value), make("span", { class: "facts" }, score.scorer),
        score.before && make("span", { class: "was" }, `baseline: ${score.before}`)),
      score.reason && make("p", { class: "why" }, quoted(score.reason)), score.evidence && text(score.evidence));
  }
  function renderMismatch(mismatch) {
    const sides = mismatch.lines?.length ? renderLines(mismatch.lines)
      : make("div", { class: "pair" }, make("pre", {}, mismatch.recorded ?? ""), make("pre", {}, mismatch.current ?? ""));
    return [make("h3", {}, quoted(mismatch.title)), make("p", {}, mismatch.meaning), renderDiff("Recorded", "Now", sides),
      mismatch.other_reading && make("p", {}, "Or: ", quoted(mismatch.other_reading))];
  }
  function renderBaseline(baseline) {
    const was = standings[baseline.outcome];
    return [make("h3", {}, "Against the baseline"),
      make("p", {}, make("b", {}, `${was.mark} ${was.word}`), " in the baseline. ", quoted(baseline.first)),
      renderFacts(baseline.facts, "In the baseline: "),
      baseline.rows && renderDiff("Baseline", "This run", baseline.rows.flatMap(renderRow)),
      baseline.state && [make("h3", {}, "The world at the end, against the baseline"), renderDiff("Baseline", "This run", renderLines(baseline.state))]];
  }

  const turn = (key, name, label) => make("button", { type: "button", "data-trial": key, [`data-${name}`]: true, disabled: !key }, label);
  const command = row.command || (row.source && `harness run ${row.source}`);
  const parts = [
    detail.reason && make("p", { class: `why ${outcome.tone}` }, quoted(detail.reason)),
    renderFacts(detail.facts),
    command && make("p", { class: "command" }, make("code", {}, command), make("button", { type: "button", class: "copy", "data-copy": command }, "Copy")),
    (row.trials ?? []).length > 1 && renderMarks(row, trial),
    detail.scores && [make("h3", {}, "Scores"), make("ul", { class: "scores cases" }, detail.scores.map(renderScore))],
    detail.mismatch && renderMismatch(detail.mismatch),
    detail.baseline && renderBaseline(detail.baseline),
    make("h3", {}, "Conversation"),
    detail.steps ? renderSteps(detail.steps) : make("p", {}, detail.ran === false ? "The agent never ran." : "Nothing was exchanged."),
    detail.state && make("details", {}, make("summary", {}, "The world at the end"), make("pre", {}, detail.state)),
  ];
  return [
    make("div", { class: `bar ${outcome.tone}` },
      make("h2", { id: "trial-title", tabindex: "-1" }, quoted(row.id), make("span", { class: "number" }, `trial ${detail.trial} of ${detail.of}`),
        make("span", { class: "badge" }, `${outcome.mark} ${outcome.word}`)),
      make("nav", { "aria-label": "Trials" }, turn(neighbours.previous, "previous", "← Previous"), turn(neighbours.next, "next", "Next →"),
        make("button", { type: "button", "data-close": true }, "Close"))),
    make("div", { class: "sheet" }, parts),
  ];
};
