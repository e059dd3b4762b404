package main

// board is a dashboard.
type board struct {
	id, title, about string
	rows             []row
}

// row is a heading, and the panels below it.
type row struct {
	title  string
	panels []panel
}

// panel is a graph, or a table of what is now.
type panel struct {
	title, about string
	unit         string // of Grafana
	table        bool
	queries      []query
}

// query is a line of a graph: an expression and how its series are called.
type query struct{ expr, legend string }

// Places on a dashboard, which is 24 wide.
const (
	fullWidth   = 24
	panelWidth  = 8
	panelHeight = 7
)

// graph returns a panel with one expression.
func graph(title, about, unit, expr, legend string) panel {
	return panel{title: title, about: about, unit: unit, queries: []query{{expr, legend}}}
}

// table returns a panel that lists what is now.
func table(title, about, unit, expr string) panel {
	return panel{title: title, about: about, unit: unit, table: true, queries: []query{{expr, ""}}}
}

// quantiles returns a panel with the middle and the slow end of a histogram.
func quantiles(title, about, histogram, by string) panel {
	of := func(q string) string {
		return "histogram_quantile(" + q + ", sum by (le, " + by + ") (rate(" + histogram + "_bucket[$__rate_interval])))"
	}
	return panel{title: title, about: about, unit: "s", queries: []query{{of("0.5"), "p50 {{" + by + "}}"}, {of("0.99"), "p99 {{" + by + "}}"}}}
}

// Grafana's own form (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/): as much of it as
// has no default that does.
type (
	grafanaBoard struct {
		UID           string         `json:"uid"`
		Title         string         `json:"title"`
		Description   string         `json:"description"`
		Tags          []string       `json:"tags"`
		SchemaVersion int            `json:"schemaVersion"`
		Editable      bool           `json:"editable"`
		Refresh       string         `json:"refresh"`
		Time          grafanaTime    `json:"time"`
		Templating    grafanaVars    `json:"templating"`
		Panels        []grafanaPanel `json:"panels"`
	}
	grafanaTime struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	grafanaVars struct {
		List []grafanaVar `json:"list"`
	}
	grafanaVar struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Query string `json:"query"`
	}
	grafanaPanel struct {
		ID          int             `json:"id"`
		Type        string          `json:"type"`
		Title       string          `json:"title"`
		Description string          `json:"description,omitempty"`
		GridPos     grafanaPlace    `json:"gridPos"`
		Datasource  *grafanaSource  `json:"datasource,omitempty"`
		FieldConfig *grafanaFields  `json:"fieldConfig,omitempty"`
		Targets     []grafanaTarget `json:"targets,omitempty"`
	}
	grafanaPlace struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	}
	grafanaSource struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	}
	grafanaFields struct {
		Defaults  grafanaDefaults `json:"defaults"`
		Overrides []struct{}      `json:"overrides"`
	}
	grafanaDefaults struct {
		Unit string `json:"unit"`
		Min  int    `json:"min"`
	}
	grafanaTarget struct {
		RefID    string `json:"refId"`
		Expr     string `json:"expr"`
		Legend   string `json:"legendFormat,omitempty"`
		Exemplar bool   `json:"exemplar,omitempty"`
		Format   string `json:"format,omitempty"`
		Instant  bool   `json:"instant,omitempty"`
	}
)

// grafana returns what Grafana takes.
func (b board) grafana() grafanaBoard {
	out := grafanaBoard{
		UID: "mlsdm-" + b.id, Title: b.title, Description: b.about, Tags: []string{"mlsdm"}, SchemaVersion: 41, Editable: true,
		Refresh: "30s", Time: grafanaTime{From: "now-1h", To: "now"},
		Templating: grafanaVars{List: []grafanaVar{{Name: "datasource", Type: "datasource", Query: "prometheus"}}},
	}
	y, id := 0, 0
	for _, r := range b.rows {
		id++
		out.Panels = append(out.Panels, grafanaPanel{ID: id, Type: "row", Title: r.title, GridPos: grafanaPlace{H: 1, W: fullWidth, Y: y}})
		y++
		x := 0
		for _, p := range r.panels {
			if x == fullWidth {
				x, y = 0, y+panelHeight
			}
			id++
			out.Panels = append(out.Panels, p.grafana(id, grafanaPlace{H: panelHeight, W: panelWidth, X: x, Y: y}))
			x += panelWidth
		}
		y += panelHeight
	}
	return out
}

// grafana returns what Grafana takes.
func (p panel) grafana(id int, place grafanaPlace) grafanaPanel {
	out := grafanaPanel{
		ID: id, Type: "timeseries", Title: p.title, Description: p.about, GridPos: place,
		Datasource:  &grafanaSource{Type: "prometheus", UID: "${datasource}"},
		FieldConfig: &grafanaFields{Defaults: grafanaDefaults{Unit: p.unit}, Overrides: []struct{}{}},
	}
	if p.table {
		out.Type = "table"
	}
	for i, q := range p.queries {
		t := grafanaTarget{RefID: string(rune('A' + i)), Expr: q.expr, Legend: q.legend, Exemplar: p.unit == "s" && !p.table}
		if p.table {
			t.Format, t.Instant = "table", true
		}
		out.Targets = append(out.Targets, t)
	}
	return out
}
