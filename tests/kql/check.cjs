// Parse and bind KQL with Microsoft's language service, against declared tables and functions.
//   node check.cjs FOLDER_OF_NODE_MODULES < request.json
// request: {tables: {name: "(a:string, b:long)"}, functions: [{name, parameters, body}], queries: {name: text}}
// answer:  {name: {problems: ["severity line:column message"], columns: [[name, type]]}}, functions among the names
'use strict';
const path = require('path');

const service = path.join(process.argv[2], '@kusto', 'language-service-next');
require(path.join(service, 'bridge.min'));
require(path.join(service, 'Kusto.Language.Bridge.min'));
const { GlobalState, KustoCode } = Kusto.Language;
const { TableSymbol, FunctionSymbol, DatabaseSymbol } = Kusto.Language.Symbols;

const list = (items) => {
    const found = [];
    for (let at = 0; at < items.Count; at++) found.push(items.getItem(at));
    return found;
};

function judge(text, globals) {
    const code = KustoCode.ParseAndAnalyze(text, globals);
    const problems = list(code.GetDiagnostics()).map((found) => {
        const before = text.slice(0, found.Start).split('\n');
        return `${found.Severity} ${before.length}:${before[before.length - 1].length + 1} ${found.Message}`;
    });
    const columns = code.ResultType && code.ResultType.Columns ? list(code.ResultType.Columns) : [];
    return { problems, columns: columns.map((column) => [column.Name, column.Type.Name]) };
}

const request = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const symbols = Object.entries(request.tables).map(([name, schema]) => new TableSymbol.$ctor7(name, schema, null));
for (const { name, parameters, body } of request.functions) {
    symbols.push(new FunctionSymbol.$ctor16(name, parameters, `{\n${body}\n}`, null));
}
const globals = GlobalState.Default.WithDatabase(new DatabaseSymbol.$ctor2('workspace', null, symbols));
const answer = {};
for (const { name, body } of request.functions) answer[name] = judge(body, globals);
for (const [name, text] of Object.entries(request.queries)) answer[name] = judge(text, globals);
process.stdout.write(JSON.stringify(answer));
